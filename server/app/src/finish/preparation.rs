//! What the steps of a preparation find out: the key of the SSH server, the version inside, and that it has failed.

use sprout_domain::{
    Result,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    preparation::{VersionFound, compare_versions},
    template::Template,
    workflow::{StepError, StepErrorReason, StepKind, StepOutput, Task, WorkflowKind},
};

use super::is_confirmed;
use crate::{
    Outcome,
    ports::{ApplianceChange, Topic},
    work::Work,
};

/// What a worker says of a step counts as this. Writes down what was found out.
pub(super) async fn judged(work: &mut Work, task: &Task, appliance: &Appliance, outcome: Outcome) -> Result<Outcome> {
    if !matches!(task.workflow, WorkflowKind::Prepare | WorkflowKind::DeployUpdated) {
        return Ok(outcome);
    }
    match (task.step, &outcome) {
        (StepKind::WaitSsh, Ok(StepOutput::HostKey(key))) => {
            // The first one counts, whoever says so first.
            if appliance.host_key.is_none() && !key.is_empty() {
                work.tx.set_host_key(appliance.id, key).await?;
            }
            Ok(outcome)
        }
        (StepKind::VerifyVersion, Ok(StepOutput::Version(printed))) => {
            let made = match appliance.prepares {
                Some(id) => work.tx.lock_preparing(&[id]).await?.pop(),
                None => None,
            };
            match made {
                Some(made) => verified(work, task, &made, printed.trim()).await.map(|judged| judged.and(outcome)),
                None => Ok(outcome),
            }
        }
        (StepKind::WaitSsh | StepKind::VerifyVersion, Ok(_)) => Ok(Err(StepError {
            reason: StepErrorReason::ProviderError,
            message: "the worker answered something else".to_owned(),
        })),
        _ => Ok(outcome),
    }
}

/// Holds the version inside against the one in the record.
async fn verified(work: &mut Work, task: &Task, made: &Template, printed: &str) -> Result<Outcome> {
    let found = compare_versions(&made.version, printed);
    if printed.is_empty() {
        return Ok(Ok(StepOutput::Empty));
    }
    let ids: Vec<_> = made.parent_id.into_iter().chain([made.id]).collect();
    work.tx.set_verified(&ids, printed, matches!(found, VersionFound::Corrected(_))).await?;
    let Template { name, version, provider, .. } = made;
    let of = match made.parent_id {
        Some(parent) => format!("template {parent}"),
        None => format!("template {name}"),
    };
    let says = match &found {
        VersionFound::Same => return Ok(Ok(StepOutput::Empty)),
        VersionFound::Corrected(found) => {
            work.wake(Topic::Warm);
            work.wake(Topic::Queue);
            format!(
                "{of} on {provider} is recorded as version {found} from now on, which is what is inside, and not {version}"
            )
        }
        VersionFound::Mismatch(found) => {
            format!(
                "{of} on {provider} says that it is version {version}, and version {found} is inside; it is not prepared"
            )
        }
    };
    work.emit(NewEvent {
        workflow_id: Some(task.workflow_id),
        state: Some(found.to_string()),
        ..NewEvent::of_provider(EventKind::TemplateVersion, provider, says.clone())
    });
    Ok(match found {
        VersionFound::Mismatch(_) => Err(StepError { reason: StepErrorReason::Invalid, message: says }),
        _ => Ok(StepOutput::Empty),
    })
}

/// A step has failed for good: nothing of the preparation is left.
pub(super) async fn failed(work: &mut Work, task: &Task, appliance: &Appliance, error: &StepError) -> Result<()> {
    if task.step == StepKind::Clone && is_confirmed(task, &Err(error.clone())) {
        let change = ApplianceChange { clone_unconfirmed: Some(false), ..ApplianceChange::default() };
        work.tx.change_appliances(&[appliance.id], &change).await?;
    }
    let why = format!("{} failed: {}", task.step, error.message);
    crate::preparation::failed(work, appliance, &why).await
}
