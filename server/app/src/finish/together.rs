//! Group commit of results: those that went well share one transaction, whose statements are as many as for one of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use sprout_domain::{
    ApplianceId, Error, Reason, Result, WorkflowId,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    pool::Pool,
    workflow::{StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, TaskState, WorkflowKind},
};

use super::{
    Finished, Written, effect, is_current,
    next::{apply, goes_on, hand_on, hold},
    next_step,
};
use crate::{
    App, Assignment,
    kill::settle_pools,
    ports::{Ended, LiveWorkflow, TaskChange, Topic},
    task::{appliance_of, emit_begun, emit_step},
    trial::deployments_succeeded,
    work::{Work, tried},
    workflow::end_workflows,
};

/// Results that are written down side by side where they cannot share a transaction.
const ABREAST: usize = 4;

impl App {
    /// Takes the results of many steps; as [`App::finish_task`] for each. After an error, some may have been written down: all can be repeated.
    pub async fn finish_tasks(&self, results: &[Finished]) -> Result<Vec<bool>> {
        let written = self.finish_and_go_on(results, &vec![None; results.len()]).await?;
        Ok(written.into_iter().map(|written| written.accepted).collect())
    }

    /// As [`App::finish_tasks`]; `through` names for each result the session through which its worker can be given the step that follows at once,
    /// if it has room for more of that lane.
    pub async fn finish_and_go_on(&self, results: &[Finished], through: &[Option<String>]) -> Result<Vec<Written>> {
        let mut accepted = match tried(|| self.finish_together(results, through)).await {
            Ok(accepted) => accepted,
            Err(error) if error.reason == Reason::DatabaseUnavailable => return Err(error),
            Err(error) => {
                tracing::warn!(%error, count = results.len(), "results could not be written down together; they are one by one");
                results.iter().map(|_| None).collect()
            }
        };
        let rest: Vec<_> = accepted.iter().enumerate().filter(|(_, done)| done.is_none()).map(|(i, _)| i).collect();
        for some in rest.chunks(ABREAST) {
            let finish = |index: &usize| {
                let (worker, key, outcome) = &results[*index];
                self.finish_task(worker, *key, outcome.clone())
            };
            for (index, done) in some.iter().zip(join_all(some.iter().map(finish)).await) {
                accepted[*index] = Some(Written::without_next(match done {
                    Err(error) if error.reason != Reason::DatabaseUnavailable => {
                        self.give_up_on(&results[*index], &error).await?
                    }
                    done => done?,
                }));
            }
        }
        Ok(accepted.into_iter().map(|written| written.unwrap_or(Written::without_next(false))).collect())
    }

    /// A result that the database does not take, whenever it is tried, must not keep others waiting: its step has failed. If not even that can be
    /// written down, the step is taken from its worker in time, as one that says nothing.
    async fn give_up_on(&self, (worker, key, _): &Finished, error: &Error) -> Result<bool> {
        tracing::error!(task = %key.id, %worker, %error, "a result could not be written down; its step counts as failed");
        let message = "its result could not be written down; see the log of the server".to_owned();
        let failed = StepError { reason: StepErrorReason::ProviderError, message };
        match self.finish_task(worker, *key, Err(failed)).await {
            Err(error) if error.reason != Reason::DatabaseUnavailable => {
                tracing::error!(task = %key.id, %worker, %error, "nor could that it failed");
                Ok(false)
            }
            done => done,
        }
    }

    /// Writes down the results that can be together. None: this one has to be written down by itself.
    async fn finish_together(&self, results: &[Finished], through: &[Option<String>]) -> Result<Vec<Option<Written>>> {
        let mut accepted: Vec<Option<Written>> = results.iter().map(|_| None).collect();
        let ids: BTreeSet<_> =
            results.iter().filter(|(.., outcome)| outcome.is_ok()).map(|(_, key, _)| key.id).collect();
        if ids.is_empty() {
            return Ok(accepted);
        }
        let mut work = self.work().await?;
        let held = hold(&mut work, results, through).await?;
        let tasks: BTreeMap<_, _> =
            work.tx.lock_tasks(&Vec::from_iter(ids)).await?.into_iter().map(|task| (task.id, task)).collect();
        let mut seen = BTreeSet::new();
        let mut done = Vec::new();
        for (index, (worker, key, outcome)) in results.iter().enumerate() {
            let Ok(output) = outcome else { continue };
            match tasks.get(&key.id).filter(|task| is_current(task, worker, *key)) {
                Some(task)
                    if task.cancel_requested
                        || task.step == StepKind::DeleteTemplate
                        || task.step == StepKind::WaitSsh
                        || task.workflow == WorkflowKind::Prepare
                        || task.workflow.is_of_provider()
                        || task.workflow.is_of_machine()
                        || task.workflow.is_operation() => {}
                Some(task) if seen.insert(key.id) => {
                    accepted[index] = Some(Written::without_next(true));
                    let goes_on = through[index].is_some() && goes_on(&work, &held, task);
                    done.push(Done { index, task, output, goes_on });
                }
                Some(_) | None => accepted[index] = Some(Written::without_next(false)),
            }
        }
        if !done.is_empty() {
            let next = succeeded(&mut work, &done, self.installation_id()).await?;
            for done in &done {
                let next = next.get(&done.task.workflow_id).cloned();
                accepted[done.index] = Some(Written { accepted: true, next });
            }
        }
        work.commit().await?; // also where all were refused: a dropped transaction keeps its locks for a moment
        Ok(accepted)
    }
}

/// A step that went well.
struct Done<'a> {
    /// Which result it is.
    index: usize,
    task: &'a Task,
    output: &'a StepOutput,
    /// What follows is given to its worker.
    goes_on: bool,
}

/// Writes it down; returns the steps that were handed on, by workflow.
async fn succeeded(
    work: &mut Work,
    done: &[Done<'_>],
    installation_id: &str,
) -> Result<BTreeMap<WorkflowId, Assignment>> {
    let tasks = || done.iter().map(|done| done.task);
    let ended: Vec<_> = tasks().filter(|task| next_step(task).is_none()).collect();
    let subjects: Vec<_> =
        ended.iter().map(|task| task.subject.clone()).filter(|s| matches!(s, Subject::Appliance(_))).collect();
    deployments_succeeded(work, &ended).await?;
    // Tasks, then pools, then appliances.
    let live = if subjects.is_empty() { Vec::new() } else { work.tx.live_workflows(&subjects).await? };
    let settled: Vec<_> = ended.iter().filter_map(|task| appliance_of(task)).collect();
    let mut pools = lock_pools(work, &settled).await?;
    let ids: BTreeSet<_> = tasks().filter_map(appliance_of).collect();
    let appliances = work.tx.lock_appliances(&Vec::from_iter(ids)).await?;
    let mut appliances: BTreeMap<_, _> = appliances.into_iter().map(|appliance| (appliance.id, appliance)).collect();
    let settle = change_appliances(work, done, &mut appliances).await?;

    work.tx.change_tasks(&tasks().map(|task| task.id).collect::<Vec<_>>(), &TaskChange::to(TaskState::Done)).await?;
    let going: Vec<_> = done.iter().filter(|done| done.goes_on).map(|done| done.task).collect();
    let waiting = done.iter().filter(|done| !done.goes_on).map(|done| done.task);
    let next: Vec<_> = waiting.filter_map(|task| Some((task.workflow_id, next_step(task)?))).collect();
    work.tx.ready_tasks(&next).await?;
    let begun = hand_on(work, &going).await?;
    for task in &begun {
        emit_begun(work, task, appliance_of(task).and_then(|id| appliances.get(&id)));
    }
    end_workflows(work, &ended.iter().map(|task| Ended::succeeded(task.workflow_id)).collect::<Vec<_>>()).await?;
    work.tx.ready_tasks(&following(&live, &ended)).await?;
    pools.retain(|_, pool| settle.contains(&Some(pool.id)));
    settle_pools(work, &mut pools).await?;
    // The next steps; or slots that became free, and what waited for them. After pings there is neither, nor where all go on.
    if done.iter().any(|done| !done.goes_on && done.task.step != StepKind::Ping) {
        work.wake(Topic::Tasks);
    }
    if ended.iter().any(|task| task.workflow.is_deployment() || task.workflow == WorkflowKind::Kill) {
        work.wake(Topic::Warm);
        work.wake(Topic::Templates);
    }
    if ended.iter().any(|task| task.step != StepKind::Ping) {
        work.wake(Topic::Queue);
    }
    let assign = |task: Task| {
        let appliance = appliance_of(&task).and_then(|id| appliances.get(&id)).cloned();
        let workflow = task.workflow_id;
        Assignment::of(&work.catalogue, installation_id, task, appliance).map(|assignment| (workflow, assignment))
    };
    Ok(begun.into_iter().filter_map(assign).collect())
}

/// Locks the pools of these appliances.
async fn lock_pools(work: &mut Work, ids: &[ApplianceId]) -> Result<BTreeMap<sprout_domain::PoolId, Pool>> {
    let pools: BTreeSet<_> = work.tx.appliances_by_id(ids).await?.iter().filter_map(|a| a.pool_id).collect();
    Ok(work.tx.lock_pools(&Vec::from_iter(pools)).await?.into_iter().map(|pool| (pool.id, pool)).collect())
}

/// Writes what the steps found out; returns the pools of those appliances that are ready or gone now.
async fn change_appliances(
    work: &mut Work,
    done: &[Done<'_>],
    appliances: &mut BTreeMap<ApplianceId, Appliance>,
) -> Result<BTreeSet<Option<sprout_domain::PoolId>>> {
    let mut changes = Vec::new();
    let mut settle = BTreeSet::new();
    for Done { task, output, .. } in done {
        let Some(id) = appliance_of(task) else { continue };
        let appliance = appliances.get_mut(&id).ok_or_else(|| Error::internal("a task without its appliance"))?;
        emit_step(work, EventKind::StepDone, task, Some(appliance), format!("{} is done", task.step));
        let change = effect(task.step, appliance, (*output).clone());
        if let Some(state) = change.state {
            appliance.state = state;
            let message = format!("{} is {state}", appliance.name);
            work.emit_appliance(EventKind::ApplianceState, appliance, message);
        }
        if matches!(appliance.state, ApplianceState::Ready | ApplianceState::Gone) {
            settle.insert(appliance.pool_id);
        }
        apply(change.clone(), appliance, work.tx.now());
        changes.push((id, change));
    }
    work.tx.change_each_appliance(&changes).await?;
    Ok(settle)
}

/// The first step of the workflow that follows on each subject, if one waits.
fn following(live: &[LiveWorkflow], ended: &[&Task]) -> Vec<(WorkflowId, u32)> {
    let next = |task: &&Task| {
        let mut others = live.iter().filter(|w| w.subject == task.subject && w.id != task.workflow_id);
        others.next().map(|workflow| (workflow.id, 0))
    };
    ended.iter().filter_map(next).collect()
}
