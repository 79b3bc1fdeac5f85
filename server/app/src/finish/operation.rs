//! What the steps of operations make of their appliance: it stays, with its pool, whatever becomes of the operation.

use sprout_domain::{
    Result, Timestamp,
    appliance::{Appliance, ApplianceEvent, ApplianceState, PowerState},
    event::{EventKind, NewEvent},
    workflow::{StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, WorkflowKind},
};

use super::is_confirmed;
use crate::{Outcome, work::Work};

/// A step went well.
pub(super) async fn succeeded(
    work: &mut Work,
    task: &Task,
    appliance: &Appliance,
    output: StepOutput,
) -> Result<Appliance> {
    let after = after_step(task, appliance, output, work.tx.now());
    write(work, task, appliance, &after).await?;
    Ok(after)
}

/// A step has failed for good: what it has changed is kept, and the appliance is at rest again.
pub(super) async fn failed(work: &mut Work, task: &Task, appliance: &Appliance, error: &StepError) -> Result<()> {
    let mut after = appliance.clone();
    match error.reason {
        StepErrorReason::ApplianceNotFound => after.power = PowerState::Absent,
        StepErrorReason::ApplianceBroken => after.power = PowerState::Off,
        _ => {}
    }
    if error.reason.is_definite() {
        release(task.workflow, &mut after);
    }
    if task.step == StepKind::Clone && is_confirmed(task, &Err(error.clone())) {
        after.clone_unconfirmed = false;
    }
    rest(task.workflow, &mut after);
    after.status = format!("{} failed: {}", task.workflow, error.message);
    write(work, task, appliance, &after).await
}

/// A step that was to be stopped has ended. What it did nevertheless counts; where nobody learnt what it did, nothing is forgotten.
pub(super) async fn stopped(work: &mut Work, task: &Task, appliance: &Appliance, outcome: &Outcome) -> Result<()> {
    let Ok(output) = outcome else { return Ok(()) };
    let mut after = Appliance { state: appliance.state, ..after_step(task, appliance, output.clone(), work.tx.now()) };
    after.status.clone_from(&appliance.status);
    after.proven_at = appliance.proven_at;
    if work.tx.live_workflows(&[Subject::Appliance(appliance.id)]).await?.is_empty() {
        rest(task.workflow, &mut after);
    }
    write(work, task, appliance, &after).await
}

/// An operation was ended by request before it was done. `begun`: a worker had a step of it.
pub(crate) fn cancelled(kind: WorkflowKind, appliance: &Appliance, begun: bool) -> Appliance {
    let mut after = appliance.clone();
    if !begun {
        release(kind, &mut after);
    }
    rest(kind, &mut after);
    after.status = format!("{kind} was cancelled");
    after
}

/// What was wanted is wanted no longer, and is surely not there.
fn release(kind: WorkflowKind, appliance: &mut Appliance) {
    match kind {
        WorkflowKind::Rename => appliance.new_name = None,
        WorkflowKind::AttachDisk => appliance.wanted_disk_mib = None,
        _ => {}
    }
}

/// Nothing is wanted of it any more: its state is that of its power. One that belongs to nobody and did not prove ready is not handed out.
fn rest(kind: WorkflowKind, appliance: &mut Appliance) {
    let Some(state) = appliance.state.after(ApplianceEvent::Seen(appliance.power)) else { return };
    let keeps_proof = matches!(kind, WorkflowKind::Rename | WorkflowKind::AttachDisk | WorkflowKind::DetachDisk);
    let broken = appliance.state.after(ApplianceEvent::Broke).filter(|_| appliance.pool_id.is_none());
    match (state, broken) {
        (ApplianceState::Ready, Some(broken)) if !keeps_proof => appliance.state = broken,
        _ => appliance.state = state,
    }
    if !keeps_proof {
        appliance.proven_at = None;
    }
    if matches!(state, ApplianceState::Off | ApplianceState::Orphaned) {
        forget_address(appliance);
    }
}

/// The appliance after a step of its operation.
fn after_step(task: &Task, appliance: &Appliance, output: StepOutput, now: Timestamp) -> Appliance {
    let mut after = observed(appliance, output);
    let (event, status) = match (task.workflow, task.step) {
        (WorkflowKind::Stop, _) => {
            if after.power != PowerState::Absent {
                after.power = PowerState::Off;
            }
            (Some(ApplianceEvent::Seen(after.power)), "off")
        }
        (WorkflowKind::Suspend, _) => {
            after.power = PowerState::Suspended;
            (Some(ApplianceEvent::Seen(after.power)), "suspended")
        }
        (_, StepKind::WaitGone) => {
            forget(&mut after);
            (Some(ApplianceEvent::Absent), "deleted, to be made anew")
        }
        (_, StepKind::Clone) => {
            after.clone_unconfirmed = false;
            (None, "cloned")
        }
        (_, StepKind::Tag) => (Some(ApplianceEvent::Tagged), "starting"),
        (_, StepKind::WaitAddress) => (Some(ApplianceEvent::Addressed), "has an address, waiting until it is ready"),
        (_, StepKind::WaitReady) => {
            after.ready_at = after.ready_at.or(Some(now));
            after.proven_at = Some(now);
            (Some(ApplianceEvent::Proven), "ready")
        }
        (_, StepKind::Rename) => {
            after.name = after.new_name.take().unwrap_or(after.name);
            (None, "renamed")
        }
        (_, StepKind::AttachDisk) => {
            after.disk_mib = after.wanted_disk_mib.take().or(after.disk_mib);
            (None, "has a disk")
        }
        (_, StepKind::DetachDisk) => {
            (after.disk_mib, after.wanted_disk_mib) = (None, None);
            (None, "has no disk any more")
        }
        (_, StepKind::WaitPresent) => (None, "present"),
        (_, StepKind::Stop) => (None, "stopped"),
        (_, StepKind::Delete) => (None, "deleted, proving that nothing is left"),
        (_, StepKind::Start | StepKind::Resume | StepKind::Reboot) => (None, "on, waiting for an address"),
        (
            _,
            StepKind::Suspend
            | StepKind::CheckProvider
            | StepKind::Ping
            | StepKind::DeleteTemplate
            | StepKind::ListMachines
            | StepKind::DeleteMachines
            | StepKind::DeleteMachine
            | StepKind::WaitSsh
            | StepKind::VerifyVersion
            | StepKind::Configure
            | StepKind::Seal
            | StepKind::MakeTemplate
            | StepKind::Update,
        ) => (None, ""),
    };
    if let Some(state) = event.and_then(|event| after.state.after(event)) {
        after.state = state;
    }
    if matches!(after.state, ApplianceState::Off | ApplianceState::Orphaned) {
        forget_address(&mut after);
    }
    status.clone_into(&mut after.status);
    after
}

fn observed(appliance: &Appliance, output: StepOutput) -> Appliance {
    let mut after = appliance.clone();
    if let StepOutput::Observed { provider_ref, power, address, endpoints, console_url } = output {
        if !provider_ref.is_empty() {
            after.provider_ref = Some(provider_ref);
        }
        if power != PowerState::Unknown {
            after.power = power;
        }
        if address.is_some() && !endpoints.is_empty() {
            after.endpoints = endpoints;
        }
        after.address = address.or(after.address);
        after.console_url = console_url.or(after.console_url);
    }
    after
}

/// Where it answers is another's by now, or soon.
fn forget_address(appliance: &mut Appliance) {
    (appliance.address, appliance.console_url) = (None, None);
    appliance.endpoints.clear();
}

/// Nothing of it is there.
fn forget(appliance: &mut Appliance) {
    forget_address(appliance);
    appliance.power = PowerState::Absent;
    (appliance.provider_ref, appliance.new_name) = (None, None);
    (appliance.disk_mib, appliance.wanted_disk_mib) = (None, None);
    appliance.clone_unconfirmed = false;
}

async fn write(work: &mut Work, task: &Task, before: &Appliance, after: &Appliance) -> Result<()> {
    work.tx.set_operated(after).await?;
    tell(work, task.workflow_id, before, after);
    Ok(())
}

/// Tells what became of the appliance, if anything did.
pub(crate) fn tell(work: &mut Work, workflow: sprout_domain::WorkflowId, before: &Appliance, after: &Appliance) {
    let (kind, message) = if before.state != after.state {
        (EventKind::ApplianceState, format!("{} is {}: {}", after.name, after.state, after.status))
    } else if before.name != after.name {
        (EventKind::ApplianceChanged, format!("{} is called {} from now on", before.name, after.name))
    } else if before.disk_mib != after.disk_mib || before.status != after.status {
        (EventKind::ApplianceChanged, format!("{} {}", after.name, after.status))
    } else {
        return;
    };
    work.emit(NewEvent {
        pool_id: after.pool_id,
        appliance_id: Some(after.id),
        provider: Some(after.provider.clone()),
        workflow_id: Some(workflow),
        state: Some(after.state.as_str().to_owned()),
        ..NewEvent::new(kind, message)
    });
}
