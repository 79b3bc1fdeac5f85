//! Proto ⇄ domain, one file per noun. What comes in is checked here; what goes out cannot fail.

mod appliance;
pub(crate) mod audit;
mod catalogue;
pub(crate) mod cleanup;
mod config;
pub(crate) mod event;
mod group;
mod job;
pub(crate) mod join;
pub(crate) mod lease;
pub(crate) mod machine;
mod pool;
mod provider;
mod shepherd;
pub(crate) mod stats;
mod task;
mod template;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod user_group;
mod wait;
mod worker;
mod workflow;

use std::time::Duration;

use prost_types::{Duration as WireDuration, Timestamp as WireTimestamp};
use sprout_domain::{Error, Result, Timestamp, template::BuildDate};

/// A value about to be converted; ours, because neither side of the conversion is.
pub(crate) struct Wire<T>(pub(crate) T);

/// An id as the database knows it.
pub(crate) fn id(field: &'static str, id: u64) -> Result<i64> {
    match i64::try_from(id) {
        Ok(0) | Err(_) => Err(Error::invalid(field, format!("{field} is missing or no id; give one as lists show it"))),
        Ok(id) => Ok(id),
    }
}

/// An optional id as the database knows it.
fn optional_id(field: &'static str, value: Option<u64>) -> Result<Option<i64>> {
    value.map(|value| id(field, value)).transpose()
}

/// A build date; a name without one has the oldest, which is nothing to tell.
fn build_date(date: BuildDate) -> String {
    if date == BuildDate::default() { String::new() } else { date.to_string() }
}

/// A text that must be there.
pub(crate) fn text(field: &'static str, text: String) -> Result<String> {
    if text.is_empty() { Err(Error::invalid(field, format!("{field} is missing; fill it in"))) } else { Ok(text) }
}

/// A text that may be absent. An empty one is more likely a slip (an unset variable) than a wish for anything.
pub(crate) fn optional_text(field: &'static str, text: Option<String>) -> Result<Option<String>> {
    match text {
        Some(text) if text.is_empty() => {
            Err(Error::invalid(field, format!("{field} is given but empty; fill it in or leave it out")))
        }
        text => Ok(text),
    }
}

/// A span of time that may be absent.
fn optional_duration(field: &'static str, value: Option<WireDuration>) -> Result<Option<Duration>> {
    value.map(|value| duration(field, Some(value))).transpose()
}

/// A span of time that must be there and be positive.
pub(crate) fn duration(field: &'static str, value: Option<WireDuration>) -> Result<Duration> {
    let value = value.ok_or_else(|| Error::invalid(field, format!("{field} is missing; say how long, e.g. 60m")))?;
    match (u64::try_from(value.seconds), u32::try_from(value.nanos)) {
        (Ok(seconds), Ok(nanos))
            if nanos < 1_000_000_000 && seconds.checked_add(u64::from(nanos)).is_some_and(|n| n > 0) =>
        {
            Ok(Duration::new(seconds, nanos))
        }
        _ => Err(Error::invalid(field, format!("{field} is no span of time above zero; ask for e.g. 60m"))),
    }
}

/// A filter by state: each of its numbers must be one of the enum's, and none "unspecified".
fn states<W, D>(numbers: Vec<i32>) -> Result<Vec<D>>
where
    W: TryFrom<i32>,
    Wire<W>: Into<Option<D>>,
{
    let unknown =
        |number| Error::invalid("states", format!("there is no state {number}; use the states of the protos"));
    numbers
        .into_iter()
        .map(|number| W::try_from(number).ok().and_then(|state| Wire(state).into()).ok_or_else(|| unknown(number)))
        .collect()
}

/// A moment on the wire.
pub(crate) fn moment(at: Timestamp) -> WireTimestamp {
    // Leap seconds, which chrono counts in nanoseconds above a second, become the last moment of theirs.
    let nanos = at.timestamp_subsec_nanos().min(999_999_999);
    WireTimestamp { seconds: at.timestamp(), nanos: i32::try_from(nanos).unwrap_or_default() }
}

/// A span of time on the wire.
fn span(duration: Duration) -> WireDuration {
    WireDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_positive_and_well_formed() {
        for (seconds, nanos) in [(-1, 0), (0, 0), (0, -1), (1, -1), (-1, 1), (1, 1_000_000_000), (i64::MIN, i32::MIN)] {
            let error = duration("lease", Some(WireDuration { seconds, nanos })).unwrap_err();
            assert_eq!(error.metadata, [("field", "lease".to_owned())], "{seconds} {nanos}");
        }
        let longest = Some(WireDuration { seconds: i64::MAX, nanos: 999_999_999 });
        assert_eq!(duration("lease", longest).unwrap().as_secs(), i64::MAX.unsigned_abs());
        assert_eq!(duration("lease", Some(span(Duration::from_millis(1)))).unwrap(), Duration::from_millis(1));
    }

    #[test]
    fn ids_are_positive() {
        assert_eq!(id("id", 7).unwrap(), 7);
        assert!(id("id", 0).is_err() && id("id", u64::MAX).is_err());
    }
}
