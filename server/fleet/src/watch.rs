//! Tells workers what others decided: which steps are to stop, what is no longer theirs, and whether they are given anything.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sprout_app::{TaskKey, ports::Topic};
use sprout_domain::{Error, Reason, Result, WorkerId};
use sprout_proto::worker::{Cancel, Drain, Revoke, Undrain, session_response::Message as Say};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{Fleet, Running, Session, convert};

/// Everything is looked at this often even if no wake-up came.
const SWEEP: Duration = Duration::from_secs(5);
/// One look may take this long.
const LIMIT: Duration = Duration::from_secs(5);

impl Fleet {
    /// Tells workers.
    pub(crate) async fn watch_decisions(self: Arc<Self>) {
        let mut cancels = self.app.bus().subscribe(Topic::Cancels);
        let mut workers = self.app.bus().subscribe(Topic::Workers);
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = workers.changed() => self.look_at_workers().await,
                _ = cancels.changed() => self.look_at_tasks(false).await,
                // What could not be read or sent, or whose wake-up got lost.
                _ = sweep.tick() => {
                    self.look_at_tasks(true).await;
                    self.look_at_workers().await;
                    self.look_for_unheld().await;
                }
            }
        }
    }

    async fn look_at_tasks(&self, all: bool) {
        let looked = timeout(LIMIT, async {
            self.cancel(all).await?;
            self.revoke(all).await
        });
        match looked.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "looking for tasks to stop failed"),
            Err(_) => tracing::warn!("looking for tasks to stop took too long"),
        }
    }

    /// Tells workers to stop what they are to stop; `again` also what they were told before.
    async fn cancel(&self, again: bool) -> Result<()> {
        let workers: Vec<_> = self.connected().into_iter().collect();
        if workers.is_empty() {
            return Ok(());
        }
        for (worker, key) in self.app.tasks_to_cancel(&workers).await? {
            let mut sessions = self.sessions();
            let Some(open) = sessions.get_mut(&worker) else { continue };
            let Some(running) = open.running.get_mut(&key).filter(|running| again || !running.told) else { continue };
            running.told = true;
            let reason = "it was cancelled, or said nothing for too long".to_owned();
            // No room: the next sweep tells it.
            open.tell(Say::Cancel(Cancel { task: Some(convert::task_ref(key)), reason }));
        }
        Ok(())
    }

    /// Takes from workers what the database has given to others; looks at everything, or only at what they were told to stop.
    async fn revoke(&self, all: bool) -> Result<()> {
        // What is given out after this is not looked at: the database may be read before it knows of that.
        let wanted = |running: &Running| !running.finishing && (all || running.told);
        let held = |(worker, open): (&WorkerId, &Session)| {
            let mine = open.running.iter().filter(|(_, running)| wanted(running));
            mine.map(|(key, _)| (*key, worker.clone())).collect::<Vec<_>>()
        };
        let held: Vec<(TaskKey, WorkerId)> = self.sessions().iter().flat_map(held).collect();
        if held.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = held.iter().map(|(key, _)| *key).collect();
        let current: BTreeSet<_> = self.app.current_tasks(&keys).await?.into_iter().collect();
        let mut revoked = false;
        for (key, worker) in held.into_iter().filter(|held| !current.contains(held)) {
            let mut sessions = self.sessions();
            let Some(open) = sessions.get_mut(&worker) else { continue };
            // A result that came meanwhile is acknowledged, whatever became of it.
            if open.running.get(&key).is_some_and(|running| !running.finishing) {
                tracing::info!(%worker, task = %key.id, epoch = key.epoch, "a task was taken from the worker");
                open.running.remove(&key);
                open.tell(Say::Revoke(Revoke { task: Some(convert::task_ref(key)) }));
                revoked = true;
            }
        }
        if revoked {
            self.room.notify_one();
        }
        Ok(())
    }

    /// Gives out again what the database believes to be with workers here, and no session knows of.
    async fn look_for_unheld(&self) {
        let counts = match timeout(LIMIT, self.app.running_counts()).await {
            Ok(Ok(counts)) => counts,
            Ok(Err(error)) => return tracing::warn!(%error, "looking for tasks that nobody holds failed"),
            Err(_) => return tracing::warn!("looking for tasks that nobody holds took too long"),
        };
        for (worker, count) in counts {
            let session = self
                .sessions()
                .get(&worker)
                .map(|open| (open.id.clone(), open.running.keys().copied().collect::<BTreeSet<_>>()));
            let Some((session, held)) = session.filter(|(_, held)| held.len() < count) else { continue };
            if let Err(error) = self.app.release_unheld(&worker, &session, &held).await {
                tracing::warn!(%worker, %error, "tasks that nobody holds could not be given out again");
            }
        }
    }

    /// Ends sessions of workers that were removed or have a newer one, and tells the others whether they are drained.
    pub(crate) async fn look_at_workers(&self) {
        let open: Vec<_> = self.sessions().iter().map(|(worker, open)| (worker.clone(), open.id.clone())).collect();
        if open.is_empty() {
            return;
        }
        let workers: Vec<_> = open.iter().map(|(worker, _)| worker.clone()).collect();
        let rows = match timeout(LIMIT, self.app.worker_sessions(&workers)).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return tracing::warn!(%error, "looking for drained and removed workers failed"),
            Err(_) => return tracing::warn!("looking for drained and removed workers took too long"),
        };
        for (worker, session) in open {
            match rows.iter().find(|row| row.worker == worker) {
                None => self.end(&worker, &session, Some(removed(&worker))),
                // It was silent for too long, and lost its tasks: it comes back, and learns which.
                Some(row) if row.session.is_empty() => self.end(&worker, &session, None),
                Some(row) if row.session != session => self.end(&worker, &session, Some(replaced())),
                Some(row) => self.drain(&worker, &session, row.drained),
            }
        }
    }

    fn drain(&self, worker: &WorkerId, session: &str, drained: bool) {
        let mut sessions = self.sessions();
        let Some(open) = sessions.get_mut(worker).filter(|open| open.id == session && open.drained != drained) else {
            return;
        };
        tracing::info!(%worker, drained, "worker was drained, or is no longer");
        open.drained = drained;
        let message =
            if drained { Say::Drain(Drain { reason: "by request".to_owned() }) } else { Say::Undrain(Undrain {}) };
        // No room: it is given nothing, whether it knows or not.
        open.tell(message);
        self.room.notify_one();
    }
}

fn removed(worker: &WorkerId) -> Error {
    let message = format!("worker {worker} was removed; to bring it back, make a token for it on the server");
    Error::new(Reason::WorkerNotFound, message)
}

pub(crate) fn replaced() -> Error {
    let message =
        "a newer session of this worker id replaced this one; if that is another machine, give it an id of its own";
    Error::new(Reason::SessionReplaced, message)
}
