//! Fencing: steps that say nothing are told to stop, and what does not answer to that is taken from its worker.

use std::time::Duration;

use sprout_domain::{
    Result,
    workflow::{StepError, StepErrorReason},
};

use crate::{App, ports::Topic, task::key, work::repeated};

/// A step that was told to stop has this long to say how it ended.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// Tasks in one go; more follow at once.
const BATCH: u64 = 200;

impl App {
    /// Has steps that were silent for longer than theirs may be stopped, and takes those from their workers that were told to stop and have not
    /// answered: they failed, or are cancelled, as if the worker had said so. What the worker says of them later is refused. Returns how
    /// long until there will be more; zero if there is more to do now.
    pub async fn stop_stalled(&self) -> Result<Option<Duration>> {
        let silent = repeated(|| self.stop_silent()).await?;
        let mut tx = self.ports.store.read().await?;
        let unanswered = tx.unanswered_tasks(GRACE, BATCH).await?;
        drop(tx);
        let mut fenced = false;
        for task in &unanswered {
            let Some(worker) = &task.worker else { continue };
            let why = if task.cancel_requested { "its workflow was ended" } else { &*task.error };
            let message = format!("{why}, and worker {worker} did not answer to being told to stop");
            let reason = if task.cancel_requested { StepErrorReason::Cancelled } else { StepErrorReason::Deadline };
            tracing::warn!(task = %task.id, step = %task.step, %worker, why, "a step does not stop; it is taken from its worker");
            fenced |= self.finish_task(worker, key(task), Err(StepError { reason, message })).await?;
        }
        if fenced {
            self.ports.bus.publish(&[Topic::Cancels]); // whoever has the session of that worker tells it
        }
        if silent as u64 == BATCH || unanswered.len() as u64 == BATCH {
            return Ok(Some(Duration::ZERO));
        }
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_stop(GRACE).await?;
        Ok(next.map(|at| (at - tx.now()).to_std().unwrap_or_default()))
    }

    async fn stop_silent(&self) -> Result<usize> {
        let mut work = self.work().await?;
        let silent = work.tx.silent_tasks(BATCH).await?;
        if silent.is_empty() {
            return Ok(0);
        }
        let mut by_limit = std::collections::BTreeMap::<Duration, Vec<_>>::new();
        for task in &silent {
            by_limit.entry(task.step.policy().progress_limit).or_default().push(task.id);
        }
        for (limit, ids) in by_limit {
            work.tx.stop_tasks(&ids, &format!("no progress for {} s", limit.as_secs())).await?;
        }
        work.wake(Topic::Cancels);
        work.commit().await?;
        Ok(silent.len())
    }
}
