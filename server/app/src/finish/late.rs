//! The end of a deployment that takes too long: as if its step had failed for good.

use sprout_domain::{
    Error, Result, WorkflowId,
    event::EventKind,
    workflow::{StepError, StepErrorReason, StepKind, Subject},
};

use super::{deployment_failed, lock_siblings};
use crate::{
    App,
    ports::{ApplianceBy, Ended, Topic},
    task::emit_step,
    workflow::end_workflows,
};

impl App {
    /// Ends a deployment that is late, unless it has ended meanwhile. What a worker does for it is stopped, and then killed.
    pub(crate) async fn end_late_deployment(&self, id: WorkflowId) -> Result<()> {
        let mut work = self.work().await?;
        let Some(workflow) = work.tx.workflow(id).await? else { return Ok(()) };
        let Subject::Appliance(appliance) = workflow.subject else { return Ok(()) };
        lock_siblings(&mut work, appliance).await?;
        // What it waited for may have ended it.
        let tasks = work.tx.tasks_of_workflow(id).await?;
        let ended = work.tx.workflow(id).await?.is_none_or(|workflow| workflow.state.is_final());
        let Some(task) = tasks.into_iter().find(|task| !task.state.is_final()).filter(|_| !ended) else {
            return work.commit().await;
        };
        let minutes = (work.tx.now() - workflow.created_at).num_minutes();
        let begun = task.step != StepKind::Clone || task.epoch > 0;
        let at = match (begun, task.error.is_empty()) {
            (false, _) => "no worker has begun it".to_owned(),
            (true, true) => format!("at {}: {}", task.step, task.status),
            (true, false) => format!("at {}, which failed: {}", task.step, task.error),
        };
        let message = format!("not ready after {minutes} min, {at}");
        let error = StepError { reason: StepErrorReason::Deadline, message };
        if begun {
            self.deployment_counts(&mut work, &task, &error).await?;
        }
        let found = work.tx.appliance(&ApplianceBy::Id(appliance)).await?;
        let pool = match found.and_then(|appliance| appliance.pool_id) {
            Some(pool) => work.tx.lock_pool(pool).await?,
            None => None,
        };
        let appliance = work.tx.lock_appliances(&[appliance]).await?.pop();
        let appliance = appliance.ok_or_else(|| Error::internal("a deployment without its appliance"))?;
        emit_step(&mut work, EventKind::StepFailed, &task, Some(&appliance), error.message.clone());
        work.tx.cancel_tasks(&[id]).await?;
        end_workflows(&mut work, &[Ended::failed(id, &error.message)]).await?;
        work.wake(Topic::Cancels);
        work.wake(Topic::Tasks);
        deployment_failed(&mut work, &self.catalogue(), &task, appliance, pool, &error).await?;
        work.commit().await
    }
}
