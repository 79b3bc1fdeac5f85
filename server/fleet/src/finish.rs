//! The finisher: results that arrive while a transaction is in flight share the next one, and are acknowledged after its commit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sprout_app::{Assignment, Finished, Outcome, TaskKey, Written};
use sprout_domain::{Reason, WorkerId};
use sprout_proto::worker::{Ack, session_response::Message as Say};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{Fleet, Running, convert, crash_point, session::ANSWERS};

/// Results that share a transaction at most.
const TOGETHER: usize = 256;
/// Transactions at once: while the database works on one, the next is put together.
const ABREAST: usize = 2;
/// Wait between tries to write down results while the database is away; workers repeat them after a reconnect anyway.
const RETRY: Duration = Duration::from_millis(500);

/// A result that a worker told.
pub(crate) struct Reported {
    pub(crate) worker: WorkerId,
    pub(crate) key: TaskKey,
    pub(crate) running: Running,
    pub(crate) outcome: Outcome,
}

/// A step that follows, to be told to its worker.
struct Begun {
    key: TaskKey,
    running: Running,
    assign: Say,
}

fn begun(assignment: Assignment) -> Begun {
    let (key, running) = Running::of(&assignment.task);
    Begun { key, running, assign: Say::Assign(convert::assign(assignment)) }
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
        let Some(receiver) = receiver else { return };
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let mut finishers = JoinSet::new();
        for _ in 0..ABREAST {
            finishers.spawn(self.clone().finish_some(receiver.clone()));
        }
        while let Some(ended) = finishers.join_next().await {
            // What it held is not written down until its workers say it again: a defect that must not stay unseen.
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }

    async fn finish_some(self: Arc<Self>, receiver: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Reported>>>) {
        let mut results = Vec::with_capacity(TOGETHER);
        while receiver.lock().await.recv_many(&mut results, TOGETHER).await > 0 {
            self.finish(std::mem::take(&mut results)).await;
        }
    }

    async fn finish(&self, mut results: Vec<Reported>) {
        for result in &results {
            crash_point(&format!("server.{}.before", result.running.step));
        }
        let (through, written) = loop {
            let through = self.through(&results);
            let finished: Vec<Finished> =
                results.iter().map(|r| (r.worker.clone(), r.key, r.outcome.clone())).collect();
            let pause = match self.app.finish_and_go_on(&finished, &through).await {
                Ok(written) => break (through, written),
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
        for (result, written) in results.iter().zip(&written) {
            let says = match (written.accepted, &result.outcome) {
                (false, _) => "ended, but it had been given to someone else".to_owned(),
                (true, Ok(_)) => "done".to_owned(),
                (true, Err(error)) => format!("failed: {}", error.message),
            };
            self.log_of_server(&result.running, result.key, &result.worker, &says);
        }
        let next: Vec<_> = written.into_iter().map(|Written { next, .. }| next.map(begun)).collect();
        for (result, next) in results.iter().zip(&next) {
            if let Some(Begun { key, running, .. }) = next {
                crash_point(&format!("server.{}.assigned", running.step));
                self.log_of_server(running, *key, &result.worker, "given to the worker");
            }
        }
        // Where all go on, there is room for nothing else.
        let room = next.iter().any(Option::is_none);
        self.acknowledge(results, &through, next);
        if room {
            self.room.notify_one();
        }
    }

    /// For each result, the session through which its worker can be given what follows: open, and with room left for more of that lane, so that nothing
    /// that waits is overtaken.
    fn through(&self, results: &[Reported]) -> Vec<Option<String>> {
        let sessions = self.sessions();
        let mut left = BTreeMap::new();
        let session = |result: &Reported| {
            let open = sessions.get(&result.worker)?;
            // What is told of a result is its acknowledgement and what follows.
            let reads = open.outgoing.capacity() > ANSWERS + 2 * results.len();
            if open.drained || open.leaving || open.outgoing.is_closed() || !reads {
                return None;
            }
            let room = || open.slots.left(open.running.values().map(|running| running.lane));
            let left = left.entry(result.worker.clone()).or_insert_with(room);
            (left.of(result.running.lane) > 0).then(|| open.id.clone())
        };
        results.iter().map(session).collect()
    }

    fn acknowledge(&self, results: Vec<Reported>, through: &[Option<String>], next: Vec<Option<Begun>>) {
        let mut unread = Vec::new();
        let mut sessions = self.sessions();
        for ((Reported { worker, key, .. }, through), next) in results.into_iter().zip(through).zip(next) {
            let Some(open) = sessions.get_mut(&worker) else { continue }; // it repeats the result when it is back
            open.running.remove(&key);
            open.said.progress.remove(&key);
            let mut reads = open.tell(Say::Ack(Ack { task: Some(convert::task_ref(key)) }));
            // A newer session is not told: what follows was taken back when it was opened.
            if let Some(Begun { key, running, assign }) = next.filter(|_| through.as_ref() == Some(&open.id)) {
                open.running.insert(key, running);
                reads = reads && open.tell(assign);
            }
            if !reads {
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
