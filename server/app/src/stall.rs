//! Fencing: steps that say nothing are told to stop, and what does not answer to that is taken from its worker.

use std::time::Duration;

use sprout_domain::{
    Reason, Result,
    workflow::{StepError, StepErrorReason},
};

use crate::{App, ports::Topic, task::key, work::repeated, worker::LEASE};

/// A step that was told to stop has this long to say how it ended.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// Tasks in one go; more follow at once.
const BATCH: u64 = 200;
/// Between two looks while there is something that cannot be dealt with.
const PAUSE: Duration = Duration::from_secs(1);

impl App {
    /// Has steps that were silent for longer than theirs may be stopped, and takes those from their workers that were told to stop and have not
    /// answered: they failed, or are cancelled, as if the worker had said so. What the worker says of them later is refused. Returns how
    /// long until there will be more; zero if there is more to do now.
    pub async fn stop_stalled(&self) -> Result<Option<Duration>> {
        let silent = repeated(|| self.stop_silent()).await?;
        let mut tx = self.ports.store.read().await?;
        let unanswered = tx.unanswered_tasks(GRACE, BATCH).await?;
        drop(tx);
        let (mut fenced, mut failed) = (false, false);
        for task in &unanswered {
            let Some(worker) = &task.worker else { continue };
            let why = if task.cancel_requested { "its workflow was ended" } else { &*task.error };
            let message = format!("{why}, and worker {worker} did not answer to being told to stop");
            let reason = if task.cancel_requested { StepErrorReason::Cancelled } else { StepErrorReason::Deadline };
            tracing::warn!(task = %task.id, step = %task.step, %worker, why, "a step does not stop; it is taken from its worker");
            match self.finish_task(worker, key(task), Err(StepError { reason, message })).await {
                Ok(taken) => fenced |= taken,
                Err(error) if error.reason == Reason::DatabaseUnavailable => return Err(error),
                // The others are not to wait for this one.
                Err(error) => {
                    failed = true;
                    tracing::error!(task = %task.id, %error, "a step could not be taken from its worker");
                }
            }
        }
        if fenced {
            self.ports.bus.publish(&[Topic::Cancels]); // whoever has the session of that worker tells it
        }
        if !failed && (silent == Some(BATCH) || unanswered.len() as u64 == BATCH) {
            return Ok(Some(Duration::ZERO));
        }
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_stop(GRACE).await?;
        let next = next.map(|at| (at - tx.now()).to_std().unwrap_or_default());
        // What is late and cannot be dealt with now is looked at now and then.
        Ok(next.map(|next| if failed || silent.is_none() { next.max(PAUSE) } else { next }))
    }

    /// Returns how many it has stopped. None: this process has not listened for long enough without a break; after an outage all have been
    /// silent, and what they said meanwhile is about to be written down.
    async fn stop_silent(&self) -> Result<Option<u64>> {
        let mut work = self.work().await?;
        if self.listened(work.tx.now()) < LEASE {
            return Ok(None);
        }
        let silent = work.tx.silent_tasks(BATCH).await?;
        if silent.is_empty() {
            return Ok(Some(0));
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
        Ok(Some(silent.len() as u64))
    }
}
