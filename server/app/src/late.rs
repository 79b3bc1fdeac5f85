//! What takes too long: deployments are ended, and go on elsewhere; kills are told of, and tried for ever.
//!
//! When a workflow is late is written down with it, so that whoever looks sleeps until the next one is. A kill on a provider that is not configured
//! any more is late at once: nobody can do it, until the provider is back or a superuser has the record forgotten.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Error, PoolId, Reason, Result, Timestamp, WorkflowId,
    appliance::{Appliance, ApplianceEvent, ApplianceState},
    event::EventKind,
    user::User,
    workflow::{Subject, Task, TaskState, Workflow, WorkflowKind},
};

use crate::{
    App,
    appliance::visible,
    hold::emit_changed,
    kill::{self, settle_pools},
    ports::{ApplianceBy, ApplianceChange, Ended, Topic},
    work::{Work, repeated},
    workflow::end_workflows,
};

/// A kill that has not ended after this time is told of.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Workflows in one go; more follow at once.
const BATCH: u64 = 200;
/// Between two looks while there is something that cannot be dealt with.
const PAUSE: Duration = Duration::from_secs(5);

impl App {
    /// Ends deployments that are late, and tells of kills that are. Returns how long it is until the next one is.
    pub async fn deal_with_late(&self) -> Result<Option<Duration>> {
        let late = self.ports.store.read().await?.late_workflows(BATCH).await?;
        let mut failed = false;
        for workflow in &late {
            let dealt = match workflow.kind {
                WorkflowKind::Deploy | WorkflowKind::DeployUpdated => {
                    repeated(|| self.end_late_deployment(workflow.id)).await
                }
                WorkflowKind::Prepare => repeated(|| self.end_late_preparation(workflow.id)).await,
                WorkflowKind::Kill => repeated(|| self.tell_of_kill(workflow)).await,
                _ => repeated(|| self.let_be(workflow.id)).await,
            };
            match dealt {
                Ok(()) => {}
                Err(error) if error.reason == Reason::DatabaseUnavailable => return Err(error),
                // The others are not to wait for this one.
                Err(error) => {
                    failed = true;
                    tracing::error!(workflow = %workflow.id, %error, "a workflow that is late could not be dealt with");
                }
            }
        }
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_late().await?.map(|at| (at - tx.now()).to_std().unwrap_or_default());
        Ok(if failed { next.map(|next| next.max(PAUSE)) } else { next })
    }

    async fn let_be(&self, id: WorkflowId) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.never_late(id).await?;
        work.commit().await
    }

    /// Tells, once for each reason, that a kill does not get on.
    async fn tell_of_kill(&self, workflow: &Workflow) -> Result<()> {
        let Subject::Appliance(id) = workflow.subject else { return self.let_be(workflow.id).await };
        let mut work = self.work().await?;
        let appliance = kill::lock(&mut work, &[id]).await?.pop();
        if let Some(appliance) = appliance.filter(|appliance| appliance.state == ApplianceState::Killing) {
            let tasks = work.tx.tasks_of_workflow(workflow.id).await?;
            let is_configured = work.catalogue.providers.contains_key(&appliance.provider);
            let status = why_stuck(&appliance, &tasks, workflow.created_at, work.tx.now(), is_configured);
            if appliance.stuck_since.is_none() || appliance.status != status {
                work.tx.set_stuck(id, &status).await?;
                emit_changed(&mut work, &appliance, None, format!("{} {status}", appliance.name));
            }
        }
        work.tx.never_late(workflow.id).await?;
        work.commit().await
    }

    /// Gives up the record of an appliance that nobody can delete, because its provider is not configured any more.
    pub async fn forget_appliance(&self, caller: &User, id: ApplianceId) -> Result<Appliance> {
        repeated(|| self.try_forget(caller, id)).await
    }

    async fn try_forget(&self, caller: &User, id: ApplianceId) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        visible(work.tx.as_mut(), caller, &by).await?;
        let appliance = kill::lock(&mut work, &[id]).await?.pop();
        let appliance = appliance.ok_or_else(|| Error::internal("an appliance vanished"))?;
        if appliance.state != ApplianceState::Gone {
            if let Err(refused) = forgettable(&work, &appliance) {
                // A transaction that is merely dropped keeps its locks for a moment.
                work.tx.commit().await?;
                return Err(refused);
            }
            forget(&mut work, caller, &appliance).await?;
        }
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }

    /// Ends live pools older than this that wait for nothing and have no appliance: none ought to be, for the last one's end is the pool's. Returns
    /// how many.
    pub async fn end_empty_pools(&self, older: Duration) -> Result<usize> {
        let mut ended = 0;
        loop {
            let empty = self.ports.store.read().await?.empty_pools(older, BATCH).await?;
            let now = repeated(|| self.settle(&empty)).await?;
            ended += now;
            if (empty.len() as u64) < BATCH || now == 0 {
                return Ok(ended);
            }
        }
    }

    async fn settle(&self, ids: &[PoolId]) -> Result<usize> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut work = self.work().await?;
        let mut pools = work.tx.lock_pools(ids).await?.into_iter().map(|pool| (pool.id, pool)).collect();
        settle_pools(&mut work, &mut pools).await?;
        work.commit().await?;
        Ok(pools.values().filter(|pool| pool.state.is_final()).count())
    }
}

fn forgettable(work: &Work, appliance: &Appliance) -> Result<()> {
    let Appliance { id, name, provider, state, .. } = appliance;
    let message = if work.catalogue.providers.contains_key(provider) {
        format!(
            "{name} is not forgotten, for its provider {provider} is configured; what there is of it is deleted when that answers"
        )
    } else if *state != ApplianceState::Killing {
        format!(
            "{name} is {state}, and only what is being killed can be forgotten; `sproutctl appliance kill {id}` first"
        )
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::WrongState, message).with("state", state.as_str()))
}

/// Its kill (locked, with all that belongs to it) ends, and it counts as gone.
async fn forget(work: &mut Work, caller: &User, appliance: &Appliance) -> Result<()> {
    let Some(state) = appliance.state.after(ApplianceEvent::Forgotten) else { return Ok(()) };
    let live = work.tx.live_workflows(&[Subject::Appliance(appliance.id)]).await?;
    let ids: Vec<_> = live.iter().map(|workflow| workflow.id).collect();
    work.tx.cancel_tasks(&ids).await?;
    end_workflows(work, &ids.into_iter().map(Ended::cancelled).collect::<Vec<_>>()).await?;
    let status = format!("forgotten by {}; whatever is left of it on {} stays there", caller.name, appliance.provider);
    let change = ApplianceChange { state: Some(state), status: Some(status.clone()), ..ApplianceChange::default() };
    work.tx.change_appliances(&[appliance.id], &change).await?;
    let forgotten = Appliance { state, ..appliance.clone() };
    work.emit_appliance(EventKind::ApplianceState, &forgotten, format!("{} is {state}: {status}", appliance.name));
    if let Some(pool) = appliance.pool_id {
        let pools = work.tx.lock_pools(&[pool]).await?;
        settle_pools(work, &mut pools.into_iter().map(|pool| (pool.id, pool)).collect()).await?;
    }
    for topic in [Topic::Cancels, Topic::Queue, Topic::Warm, Topic::Templates] {
        work.wake(topic);
    }
    Ok(())
}

/// What keeps a kill from getting on.
fn why_stuck(appliance: &Appliance, tasks: &[Task], began: Timestamp, now: Timestamp, is_configured: bool) -> String {
    let Appliance { id, provider, .. } = appliance;
    if !is_configured {
        return format!(
            "cannot be deleted: its provider {provider} is not configured any more; configure it again, or `sproutctl appliance forget {id}`"
        );
    }
    let minutes = (now - began).num_minutes();
    let what = match tasks.iter().find(|task| !task.state.is_final()) {
        None => "it is about to end".to_owned(),
        Some(task) if !task.error.is_empty() => {
            format!("{} was tried {} times, and failed: {}", task.step, task.attempt, task.error)
        }
        Some(task) => match (&task.state, &task.worker) {
            (TaskState::Running, Some(worker)) => format!("{} is with worker {worker}: {}", task.step, task.status),
            (TaskState::Blocked, _) => "a step that was under way before has not stopped yet".to_owned(),
            _ => format!("no worker has taken {}; see `sproutctl worker list`", task.step),
        },
    };
    format!("could not be deleted for {minutes} min, and is tried for ever: {what}")
}
