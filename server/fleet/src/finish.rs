//! The finisher: results that arrive while a transaction is in flight share the next one, and are acknowledged after its commit.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sprout_app::{Finished, Outcome, TaskKey};
use sprout_domain::{Reason, WorkerId};
use sprout_proto::worker::{Ack, session_response::Message as Say};
use tokio::sync::mpsc;

use crate::{Fleet, Running, convert, crash_point};

/// Results that share a transaction at most.
const TOGETHER: usize = 256;
/// Wait between tries to write down results while the database is away; workers repeat them after a reconnect anyway.
const RETRY: Duration = Duration::from_millis(500);

/// A result that a worker told.
pub(crate) struct Reported {
    pub(crate) worker: WorkerId,
    pub(crate) key: TaskKey,
    pub(crate) running: Running,
    pub(crate) outcome: Outcome,
}

/// The way to the finisher. No longer than there are tasks with workers: each has one result at a time here.
pub(crate) struct Results {
    sender: mpsc::UnboundedSender<Reported>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Reported>>>,
}

impl Default for Results {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Results {
    pub(crate) fn add(&self, result: Reported) {
        let _ = self.sender.send(result); // fails only where nobody takes results any more; the worker repeats it elsewhere
    }
}

impl Fleet {
    /// Takes results.
    pub(crate) async fn finish_tasks(self: Arc<Self>) {
        let receiver = self.results.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let mut results = Vec::with_capacity(TOGETHER);
        while receiver.recv_many(&mut results, TOGETHER).await > 0 {
            self.finish(std::mem::take(&mut results)).await;
        }
    }

    async fn finish(&self, mut results: Vec<Reported>) {
        for result in &results {
            crash_point(&format!("server.{}.before", result.running.step));
        }
        let accepted = loop {
            let finished: Vec<Finished> =
                results.iter().map(|r| (r.worker.clone(), r.key, r.outcome.clone())).collect();
            let pause = match self.app.finish_tasks(&finished).await {
                Ok(accepted) => break accepted,
                Err(error) if error.reason == Reason::DatabaseUnavailable => {
                    tracing::warn!(count = results.len(), %error, "results could not be written down yet");
                    // Not a wait for something we could be told of: the database is away, or transactions collide.
                    RETRY.mul_f64(0.2 + 0.8 * fastrand::f64())
                }
                Err(error) => {
                    // A defect, or something the database had never said before. Nothing is acknowledged that was not committed.
                    tracing::error!(count = results.len(), %error, "results could not be written down; trying again");
                    RETRY * 10
                }
            };
            tokio::time::sleep(pause).await;
            // A worker that left repeats its results when it is back.
            let sessions = self.sessions();
            results.retain(|result| sessions.contains_key(&result.worker));
        };
        for result in &results {
            crash_point(&format!("server.{}.after", result.running.step));
        }
        for (result, accepted) in results.iter().zip(accepted) {
            let says = match (accepted, &result.outcome) {
                (false, _) => "ended, but it had been given to someone else".to_owned(),
                (true, Ok(_)) => "done".to_owned(),
                (true, Err(error)) => format!("failed: {}", error.message),
            };
            self.log_of_server(&result.running, result.key, &result.worker, &says);
        }
        self.acknowledge(results);
        self.room.notify_one();
    }

    fn acknowledge(&self, results: Vec<Reported>) {
        let mut unread = Vec::new();
        let mut sessions = self.sessions();
        for Reported { worker, key, .. } in results {
            let Some(open) = sessions.get_mut(&worker) else { continue }; // it repeats the result when it is back
            open.running.remove(&key);
            open.said.progress.remove(&key);
            if !open.tell(Say::Ack(Ack { task: Some(convert::task_ref(key)) })) {
                unread.push((worker, open.id.clone()));
            }
        }
        drop(sessions);
        unread.dedup();
        for (worker, session) in unread {
            self.end_unread(&worker, &session);
        }
    }
}
