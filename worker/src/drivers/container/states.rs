//! Podman passes on states of its own, and the client library refuses a whole answer for one word it does not know: a single
//! container, anybody's, would hide all others. The word is then replaced by the one that Docker has for it.

use bollard::errors::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an answer again that was refused, with states in Docker's words. Anything else stays as it is.
pub(super) fn in_dockers_words<T: DeserializeOwned>(answer: Result<T, Error>) -> Result<T, Error> {
    if let Err(Error::JsonDataError { contents, .. }) = &answer
        && let Ok(mut value) = serde_json::from_str(contents)
    {
        match &mut value {
            Value::Array(containers) => containers.iter_mut().for_each(|one| translate(one.get_mut("State"))),
            one => translate(one.get_mut("State").and_then(|state| state.get_mut("Status"))),
        }
        if let Ok(understood) = serde_json::from_value(value) {
            return Ok(understood);
        }
    }
    answer
}

fn translate(state: Option<&mut Value>) {
    let Some(Value::String(state)) = state else { return };
    let docker = match state.as_str() {
        known @ ("created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead" | "stopping") => {
            known
        }
        "configured" | "initialized" => "created",
        "stopped" => "exited",
        // Unknown, which is neither off nor absent.
        _ => "",
    };
    *state = docker.to_owned();
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerInspectResponse, ContainerSummary};

    use super::*;
    use crate::{
        driver::PowerState,
        drivers::container::{instance, settings::Publish},
    };

    /// As the library reads an answer.
    fn answer<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
        serde_json::from_str(json).map_err(|error| Error::JsonDataError {
            message: error.to_string(),
            contents: json.to_owned(),
            column: error.column(),
        })
    }

    fn publish() -> Publish {
        Publish { bind: [127, 0, 0, 1].into(), host: "127.0.0.1".into() }
    }

    #[test]
    fn one_unknown_state_hides_no_container() {
        let json = r#"[{"Names":["/a"],"State":"stopped"},{"Names":["/b"],"State":"running"},{"Names":["/c"],"State":"molten"}]"#;
        let refused: Result<Vec<ContainerSummary>, _> = answer(json);
        assert!(refused.is_err(), "the library reads it by itself now: this file can go");
        let listed = in_dockers_words(refused).expect("understood");
        let powers: Vec<_> = listed.into_iter().map(|one| instance::listed(one, &publish()).power).collect();
        assert_eq!(powers, [PowerState::Off, PowerState::On, PowerState::Unspecified]);

        let refused: Result<ContainerInspectResponse, _> = answer(r#"{"Name":"a","State":{"Status":"initialized"}}"#);
        assert!(refused.is_err());
        let found = instance::inspected(in_dockers_words(refused).expect("understood"), &publish());
        assert_eq!(found.power, PowerState::Off);
    }

    #[test]
    fn other_mistakes_stay_mistakes() {
        for json in ["hello", r#"{"State":{"Status":7}}"#, "[]"] {
            in_dockers_words(answer::<ContainerInspectResponse>(json)).expect_err(json);
        }
    }
}
