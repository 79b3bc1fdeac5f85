//! Going on at once: the next step of a workflow is given to the worker that has just ended the one before, in the transaction that ends it.
//!
//! The slot that it had is the slot that it needs, so nobody is counted anew; and it overtakes nobody, as it is given only to workers that have room
//! left for more of its lane: whatever waits in the queue could have been theirs. Otherwise it is ready, and waits its turn like all others.

use sprout_domain::{
    Result, Timestamp, WorkerId,
    appliance::{Appliance, ApplianceState},
    workflow::Task,
};

use super::{Finished, next_step};
use crate::{
    Assignment,
    ports::{ApplianceChange, HandOn},
    work::Work,
};

/// What became of a result.
#[derive(Debug, Clone)]
pub struct Written {
    /// It came from the current assignment, and is written down; otherwise it changed nothing.
    pub accepted: bool,
    /// The step that follows, which the same worker has been given; none: there is none, or it waits in the queue.
    pub next: Option<Assignment>,
}

impl Written {
    pub(super) fn without_next(accepted: bool) -> Self {
        Self { accepted, next: None }
    }
}

/// Sessions that are open and take tasks, locked. Workers are locked before tasks.
pub(super) async fn hold(work: &mut Work, results: &[Finished], through: &[Option<String>]) -> Result<Vec<WorkerId>> {
    let open = results.iter().zip(through).filter(|((.., outcome), _)| outcome.is_ok());
    let mut sessions: Vec<_> =
        open.filter_map(|((worker, ..), session)| Some((worker.clone(), session.clone()?))).collect();
    sessions.sort_unstable();
    sessions.dedup();
    if sessions.is_empty() { Ok(Vec::new()) } else { work.tx.hold_sessions(&sessions).await }
}

/// Whether what follows on this step can be given to its worker.
pub(super) fn goes_on(work: &Work, held: &[WorkerId], task: &Task) -> bool {
    next_step(task).is_some()
        && task.worker.as_ref().is_some_and(|worker| held.contains(worker))
        && work.catalogue.providers.contains_key(&task.provider)
}

/// Gives the steps that follow on these to those who ended these.
pub(super) async fn hand_on(work: &mut Work, ended: &[&Task]) -> Result<Vec<Task>> {
    let next = |task: &&Task| {
        let position = next_step(task)?;
        let step = *task.workflow.steps().get(usize::try_from(position).ok()?)?;
        let (workflow, to, limit) = (task.workflow_id, task.worker.clone()?, step.policy().progress_limit);
        Some(HandOn { workflow, position, to, limit })
    };
    work.tx.hand_on(&ended.iter().filter_map(next).collect::<Vec<_>>()).await
}

/// The appliance as it is after the change, without reading it again.
pub(super) fn apply(change: ApplianceChange, appliance: &mut Appliance, now: Timestamp) {
    let ApplianceChange { state, power, address, endpoints, provider_ref, clone_unconfirmed, status, console_url } =
        change;
    if let Some(state) = state {
        appliance.state = state;
        if state == ApplianceState::Ready {
            appliance.ready_at = appliance.ready_at.or(Some(now));
            appliance.proven_at = Some(now);
        }
    }
    if let Some(status) = status {
        appliance.status = status;
        appliance.status_changed_at = now;
    }
    appliance.power = power.unwrap_or(appliance.power);
    appliance.address = address.or(appliance.address.take());
    appliance.provider_ref = provider_ref.or(appliance.provider_ref.take());
    appliance.console_url = console_url.or(appliance.console_url.take());
    appliance.clone_unconfirmed = clone_unconfirmed.unwrap_or(appliance.clone_unconfirmed);
    if let Some(endpoints) = endpoints {
        appliance.endpoints = endpoints;
    }
    appliance.changed_at = now;
}
