//! The ends of steps: advancing workflows by what comes back.
//!
//! Advancing is one transaction: the step ends, its effects on the subject, the next step is ready, events. A result counts only if
//! it comes from the assignment that is current (task, epoch, worker); anything else is refused and changes nothing, so a result
//! may be sent any number of times.

mod late;
mod next;
pub(crate) mod operation;
mod preparation;
mod together;

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Catalogue, Error, Result, WorkerId,
    appliance::{Appliance, ApplianceEvent, ApplianceState, PowerState},
    event::EventKind,
    pool::{Pool, PoolEvent, PoolState, failures_tolerated},
    template::Template,
    workflow::{
        AfterFailure, StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, TaskState, WorkflowKind,
        after_failure,
    },
};

pub use self::next::Written;
use crate::{
    App, Outcome, TaskKey,
    kill::{kill_appliances, settle_pools},
    machine_order,
    pool::advance_pool,
    ports::{ApplianceBy, ApplianceChange, Ended, PoolChange, TaskChange, Topic, WaitingPool},
    prove,
    queue::{Round, wait_again},
    task::{appliance_of, emit_step},
    template_delete,
    trial::deployments_succeeded,
    work::{Work, repeated},
    worker::unblock,
    workflow::end_workflows,
};

/// The result of one assignment, and who says so.
pub type Finished = (WorkerId, TaskKey, Outcome);

impl App {
    /// Takes the result of a step. `false`: it came from an assignment that is no longer current, and changed nothing.
    pub async fn finish_task(&self, worker: &WorkerId, key: TaskKey, outcome: Outcome) -> Result<bool> {
        repeated(|| self.try_finish(worker, key, outcome.clone())).await
    }

    async fn try_finish(&self, worker: &WorkerId, key: TaskKey, outcome: Outcome) -> Result<bool> {
        let mut work = self.work().await?;
        let Some(mut task) = current_task(&mut work, worker, key).await? else { return refused(work).await };
        let outcome = as_counted(&task, outcome);
        if ends_deployment(&task, &outcome) {
            // The pool may fail with it, and all others of the pool are killed then: their tasks are locked first, in the same order by
            // everyone. What holds one of them waits for the pool.
            drop(work);
            work = self.work().await?;
            if let Some(id) = appliance_of(&task) {
                lock_siblings(&mut work, id).await?;
            }
            task = match current_task(&mut work, worker, key).await? {
                Some(task) => task,
                None => return refused(work).await,
            };
            if let Err(error) = &outcome {
                self.deployment_counts(&mut work, &task, error).await?;
            }
        }
        if outcome.is_ok() && next_step(&task).is_none() {
            deployments_succeeded(&mut work, &[&task]).await?;
        }
        match appliance_of(&task) {
            Some(id) => self.finish_appliance_step(&mut work, &task, id, outcome).await?,
            None if task.cancel_requested => {
                work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Cancelled)).await?;
            }
            None => self.finish_other_step(&mut work, &task, outcome).await?,
        }
        work.commit().await?;
        Ok(true)
    }

    /// A step that is about no appliance: a check of a provider, or a ping.
    async fn finish_other_step(&self, work: &mut Work, task: &Task, outcome: Outcome) -> Result<()> {
        let error = match (task.step, machine_order::judged(task, outcome)) {
            (_, Ok(output)) if task.workflow.is_of_machine() => {
                machine_order::succeeded(work, task, output).await?;
                return succeed(work, task).await;
            }
            (StepKind::CheckProvider, Ok(StepOutput::Provider { version, templates, capabilities, totals })) => {
                self.provider_seen(work, task, &version, &templates).await?;
                work.tx.set_totals(&task.provider, &totals).await?;
                if !capabilities.is_empty() {
                    work.tx.set_capabilities(&task.provider, &capabilities).await?;
                }
                return succeed(work, task).await;
            }
            (StepKind::DeleteTemplate, Ok(_)) => {
                template_delete::deleted(work, task).await?;
                return succeed(work, task).await;
            }
            (StepKind::ListMachines, Ok(StepOutput::Machines(listing))) => {
                self.provider_listed(work, task, listing).await?;
                return succeed(work, task).await;
            }
            (StepKind::DeleteMachines, Ok(StepOutput::Deleted(outcomes))) => {
                // First, so that the next one can begin.
                succeed(work, task).await?;
                return self.machines_deleted(work, task, outcomes).await;
            }
            (StepKind::CheckProvider | StepKind::ListMachines | StepKind::DeleteMachines, Ok(_)) => StepError {
                reason: StepErrorReason::ProviderError,
                message: "the worker answered something else".to_owned(),
            },
            (_, Ok(_)) => return succeed(work, task).await,
            (_, Err(error)) => error,
        };
        work.wake(Topic::Tasks);
        match after_failure(task.step, task.attempt, error.reason) {
            AfterFailure::Requeue => {
                work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Ready).uncounted()).await
            }
            AfterFailure::Retry(delay) => {
                let change = TaskChange { due_in: jittered(delay), ..TaskChange::to(TaskState::Retrying) };
                work.tx.change_tasks(&[task.id], &change.with_error(&error.message)).await
            }
            AfterFailure::GiveUp => {
                match task.step {
                    StepKind::CheckProvider => self.provider_failed(work, task, &error.message).await?,
                    StepKind::DeleteTemplate => template_delete::failed(work, task, &error.message).await?,
                    _ => machine_order::failed(work, task, &error.message),
                }
                work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Failed).with_error(&error.message)).await?;
                end_workflows(work, &[Ended::failed(task.workflow_id, &error.message)]).await
            }
        }
    }

    async fn finish_appliance_step(
        &self,
        work: &mut Work,
        task: &Task,
        id: ApplianceId,
        outcome: Outcome,
    ) -> Result<()> {
        let found = work
            .tx
            .appliance(&ApplianceBy::Id(id))
            .await?
            .ok_or_else(|| Error::internal("a task without its appliance"))?;
        let mut pool = match found.pool_id {
            Some(pool) => work.tx.lock_pool(pool).await?,
            None => None,
        };
        let appliance =
            work.tx.lock_appliances(&[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        if task.cancel_requested {
            return stopped(work, task, &appliance, &outcome).await;
        }
        match preparation::judged(work, task, &appliance, outcome).await? {
            Ok(output) => succeeded(work, task, appliance, pool.as_mut(), output).await,
            Err(error) => failed(work, &self.catalogue(), task, appliance, pool, error).await,
        }
    }
}

/// The task, locked, if this is its current assignment.
async fn current_task(work: &mut Work, worker: &WorkerId, key: TaskKey) -> Result<Option<Task>> {
    let task = work.tx.lock_tasks(&[key.id]).await?.pop();
    Ok(task.filter(|task| is_current(task, worker, key)))
}

/// The result does not count. A transaction that is merely dropped keeps its locks for a moment, and whoever looks for tasks then passes this one.
async fn refused(work: Work) -> Result<bool> {
    work.commit().await.map(|()| false)
}

/// This is the current assignment of the task.
fn is_current(task: &Task, worker: &WorkerId, key: TaskKey) -> bool {
    task.state == TaskState::Running && task.epoch == key.epoch && task.worker.as_ref() == Some(worker)
}

/// A try that was stopped because it made no progress, or by request, has failed, whatever its worker says of that; unless it went well.
fn as_counted(task: &Task, outcome: Outcome) -> Outcome {
    match outcome {
        Err(error) if task.stalled && error.reason == StepErrorReason::Cancelled => {
            Err(StepError { reason: StepErrorReason::Deadline, message: task.error.clone() })
        }
        outcome => outcome,
    }
}

/// Give or take a fifth, so that what failed together is not tried again together.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// A deployment, or a proof that is renewed, fails for good with this result, unless it was to be stopped anyway.
fn ends_deployment(task: &Task, outcome: &Outcome) -> bool {
    let gives_up = |error: &StepError| after_failure(task.step, task.attempt, error.reason) == AfterFailure::GiveUp;
    (task.workflow.is_deployment() || task.workflow == WorkflowKind::Prove)
        && !task.cancel_requested
        && outcome.as_ref().is_err_and(gives_up)
}

/// Locks the unfinished tasks of an appliance and of all others of its pool.
async fn lock_siblings(work: &mut Work, id: ApplianceId) -> Result<()> {
    let pool = work.tx.appliance(&ApplianceBy::Id(id)).await?.and_then(|appliance| appliance.pool_id);
    let siblings = match pool {
        Some(pool) => work.tx.appliances_of_pools(&[pool], false).await?,
        None => Vec::new(),
    };
    let others = siblings.iter().map(|sibling| sibling.id).filter(|sibling| *sibling != id);
    let subjects: Vec<_> = others.chain([id]).map(Subject::Appliance).collect();
    work.tx.live_workflows(&subjects).await.map(drop)
}

/// The task is done; the next step of its workflow is ready, or the workflow has succeeded.
async fn succeed(work: &mut Work, task: &Task) -> Result<()> {
    work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Done)).await?;
    if let Some(next) = next_step(task) {
        work.tx.ready_tasks(&[(task.workflow_id, next)]).await?;
        work.wake(Topic::Tasks);
        return Ok(());
    }
    end_workflows(work, &[Ended::succeeded(task.workflow_id)]).await?;
    // A slot may be free, something warm may be ready, and a later workflow of the subject may be waiting.
    work.wake(Topic::Tasks);
    if task.workflow.is_deployment() || task.workflow == WorkflowKind::Kill {
        work.wake(Topic::Warm);
        work.wake(Topic::Templates);
    }
    work.wake(Topic::Queue);
    unblock(work, std::slice::from_ref(&task.subject)).await
}

/// The place of the step after this one, if there is one.
fn next_step(task: &Task) -> Option<u32> {
    let next = task.position + 1;
    usize::try_from(next).is_ok_and(|next| next < task.workflow.steps().len()).then_some(next)
}

/// A step that was to be stopped has ended, one way or the other: what waited for that goes on.
async fn stopped(work: &mut Work, task: &Task, appliance: &Appliance, outcome: &Outcome) -> Result<()> {
    if task.workflow.is_operation() {
        operation::stopped(work, task, appliance, outcome).await?;
    }
    if task.step == StepKind::Clone && is_confirmed(task, outcome) {
        let change = ApplianceChange { clone_unconfirmed: Some(false), ..ApplianceChange::default() };
        work.tx.change_appliances(&[appliance.id], &change).await?;
    }
    work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Cancelled)).await?;
    unblock(work, std::slice::from_ref(&task.subject)).await
}

/// The outcome of the clone is known: it is there, or this one and only try was refused.
fn is_confirmed(task: &Task, outcome: &Outcome) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => task.attempt == 1 && task.epoch == 1 && error.reason.is_definite(),
    }
}

async fn succeeded(
    work: &mut Work,
    task: &Task,
    mut appliance: Appliance,
    pool: Option<&mut Pool>,
    output: StepOutput,
) -> Result<()> {
    emit_step(work, EventKind::StepDone, task, Some(&appliance), format!("{} is done", task.step));
    if task.workflow.is_operation() {
        appliance = operation::succeeded(work, task, &appliance, output).await?;
    } else {
        let change = effect(task.step, &appliance, output);
        work.tx.change_appliances(&[appliance.id], &change).await?;
        if let Some(state) = change.state {
            appliance.state = state;
            let message = format!("{} is {state}", appliance.name);
            work.emit_appliance(EventKind::ApplianceState, &appliance, message);
        }
    }
    succeed(work, task).await?;
    if task.step == StepKind::MakeTemplate {
        return crate::preparation::made(work, &appliance, task.workflow_id).await;
    }
    match (appliance.state, pool) {
        (ApplianceState::Ready | ApplianceState::Gone, Some(pool)) => {
            settle_pools(work, &mut [(pool.id, pool.clone())].into()).await
        }
        _ => Ok(()),
    }
}

/// What a step that went well makes of its appliance.
fn effect(step: StepKind, appliance: &Appliance, output: StepOutput) -> ApplianceChange {
    let (event, status) = match step {
        StepKind::Clone => (None, "cloned"),
        StepKind::WaitPresent => (None, "present"),
        StepKind::Tag => (Some(ApplianceEvent::Tagged), "starting"),
        StepKind::Start => (None, "started, waiting for an address"),
        StepKind::WaitAddress => (Some(ApplianceEvent::Addressed), "has an address, waiting until it is ready"),
        StepKind::WaitReady => (Some(ApplianceEvent::Proven), "ready"),
        StepKind::Stop => (None, "stopped"),
        StepKind::Delete => (None, "deleted, proving that nothing is left"),
        StepKind::WaitGone => (Some(ApplianceEvent::Absent), "gone"),
        StepKind::WaitSsh => (None, "answers, looking at its version"),
        StepKind::VerifyVersion => (None, "of the right version, being configured"),
        StepKind::Configure => (None, "configured, being sealed"),
        StepKind::Seal => (None, "sealed"),
        StepKind::MakeTemplate => (None, "a template"),
        StepKind::Update => (None, "brought up to date, restarting"),
        StepKind::Reboot => (None, "restarted, waiting for an address"),
        // Operations are written down otherwise.
        StepKind::CheckProvider
        | StepKind::Ping
        | StepKind::Suspend
        | StepKind::Resume
        | StepKind::Rename
        | StepKind::AttachDisk
        | StepKind::DetachDisk
        | StepKind::DeleteTemplate
        | StepKind::ListMachines
        | StepKind::DeleteMachines
        | StepKind::DeleteMachine => (None, ""),
    };
    let seen = observed(output);
    ApplianceChange {
        status: Some(status.to_owned()),
        state: event.and_then(|event| appliance.state.after(event)),
        clone_unconfirmed: (step == StepKind::Clone).then_some(false),
        power: if step == StepKind::WaitGone { Some(PowerState::Absent) } else { seen.power },
        ..seen
    }
}

fn observed(output: StepOutput) -> ApplianceChange {
    match output {
        StepOutput::Observed { provider_ref, power, address, endpoints, console_url } => ApplianceChange {
            provider_ref: (!provider_ref.is_empty()).then_some(provider_ref),
            power: (power != PowerState::Unknown).then_some(power),
            endpoints: address.is_some().then_some(endpoints),
            address,
            console_url,
            ..ApplianceChange::default()
        },
        StepOutput::Empty
        | StepOutput::Provider { .. }
        | StepOutput::HostKey(_)
        | StepOutput::Version(_)
        | StepOutput::Machines(_)
        | StepOutput::Deleted(_) => ApplianceChange::default(),
    }
}

async fn failed(
    work: &mut Work,
    catalogue: &Catalogue,
    task: &Task,
    appliance: Appliance,
    pool: Option<Pool>,
    error: StepError,
) -> Result<()> {
    let why = format!("{} failed: {}", task.step, error.message);
    match after_failure(task.step, task.attempt, error.reason) {
        AfterFailure::Requeue => {
            emit_step(
                work,
                EventKind::StepFailed,
                task,
                Some(&appliance),
                format!("{} was handed back, and goes on elsewhere", task.step),
            );
            work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Ready).uncounted()).await?;
        }
        AfterFailure::Retry(delay) => {
            let delay = jittered(delay);
            let says = format!("{why}; tried again in {:.1} s", delay.as_secs_f64());
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), says.clone());
            if appliance.stuck_since.is_some() {
                work.tx.set_stuck(appliance.id, &says).await?;
            } else {
                work.tx.set_statuses(&[(appliance.id, says)]).await?;
            }
            let change = TaskChange { due_in: delay, ..TaskChange::to(TaskState::Retrying).with_error(&error.message) };
            work.tx.change_tasks(&[task.id], &change).await?;
        }
        // What cannot be stopped can still be deleted: drivers delete in any power state.
        AfterFailure::GiveUp
            if task.step == StepKind::Stop && !matches!(task.workflow, WorkflowKind::Stop | WorkflowKind::Prepare) =>
        {
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), format!("{why}; it is deleted as it is"));
            succeed(work, task).await?;
        }
        AfterFailure::GiveUp => {
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), why.clone());
            work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Failed).with_error(&error.message)).await?;
            work.tx.cancel_tasks(&[task.workflow_id]).await?;
            end_workflows(work, &[Ended::failed(task.workflow_id, &error.message)]).await?;
            if task.workflow.is_deployment() {
                deployment_failed(work, catalogue, task, appliance, pool, &error).await?;
            } else if task.workflow == WorkflowKind::Prepare {
                preparation::failed(work, task, &appliance, &error).await?;
            } else if task.workflow == WorkflowKind::Prove {
                prove::failed(work, &appliance, pool.as_ref(), &error.message).await?;
            } else if task.workflow.is_operation() {
                operation::failed(work, task, &appliance, &error).await?;
                unblock(work, std::slice::from_ref(&task.subject)).await?;
            }
        }
    }
    work.wake(Topic::Tasks);
    Ok(())
}

/// The compensation of a deployment: what there is of it is killed, and its pool gets another one, elsewhere if possible, or fails.
async fn deployment_failed(
    work: &mut Work,
    catalogue: &Catalogue,
    task: &Task,
    appliance: Appliance,
    pool: Option<Pool>,
    error: &StepError,
) -> Result<()> {
    // Of what was never begun nothing is there: killing it needs no provider.
    let begun = task.step != StepKind::Clone || task.epoch > 0;
    let state = if begun { ApplianceState::Failed } else { appliance.state };
    let broken = Appliance { state, ..appliance };
    let mut change = ApplianceChange {
        state: begun.then_some(state),
        status: Some(error.message.clone()),
        ..ApplianceChange::default()
    };
    if task.step == StepKind::Clone && task.attempt == 1 && task.epoch == 1 && error.reason.is_definite() {
        change.clone_unconfirmed = Some(false);
    }
    work.tx.change_appliances(&[broken.id], &change).await?;
    // Before its pool may be given up, with all that is in it.
    let kept = work.tx.keep_specimen(broken.id).await?;
    work.emit_appliance(EventKind::ApplianceState, &broken, format!("{} failed: {}", broken.name, error.message));
    if let Some(mut pool) = pool.filter(|pool| matches!(pool.state, PoolState::Waiting | PoolState::Provisioning)) {
        work.tx.change_pools(&[pool.id], &PoolChange { add_failures: 1, ..PoolChange::default() }).await?;
        let tolerated = pool.failure_count < failures_tolerated(pool.count);
        if tolerated && may_succeed(work, catalogue, &pool, &broken, error).await? {
            wait_again(work, &pool, &broken.provider, &error.message).await?;
        } else {
            give_up(work, &mut pool, error).await?;
        }
    }
    if kept { Ok(()) } else { kill_appliances(work, &[broken.id], &error.message).await }
}

/// Whether there is something to try for the pool: the same again where that can help, else another template.
async fn may_succeed(
    work: &mut Work,
    catalogue: &Catalogue,
    pool: &Pool,
    broken: &Appliance,
    error: &StepError,
) -> Result<bool> {
    let hopeless = matches!(
        error.reason,
        StepErrorReason::TemplateNotFound
            | StepErrorReason::Invalid
            | StepErrorReason::Unsupported
            | StepErrorReason::AccessDenied
    );
    let about = vec![WaitingPool { pool: pool.clone(), weight: 1 }];
    let round = Round::about(work.tx.as_mut(), catalogue, about).await?;
    let used = |template: &&Template| round.rooms.get(&template.provider).is_some_and(|room| !room.disabled);
    Ok(round.candidates(pool).iter().any(|t| used(t) && !(hopeless && t.id == broken.template_id)))
}

/// The pool cannot be fulfilled: it fails, and what there is of it is killed.
async fn give_up(work: &mut Work, pool: &mut Pool, error: &StepError) -> Result<()> {
    let status = format!("no appliance could be deployed: {}", error.message);
    let change = PoolChange { status: Some(status.clone()), stop_waiting: true, ..PoolChange::default() };
    work.tx.change_pools(&[pool.id], &change).await?;
    (pool.status, pool.waiting_count) = (status.clone(), 0);
    advance_pool(work, pool, PoolEvent::GaveUp, &format!("failed: {status}")).await?;
    let rest: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    kill_appliances(work, &rest, "its pool failed").await
}
