//! The dispatcher: as soon as a task is ready and a worker has room, the two meet.

use std::{sync::Arc, time::Duration};

use sprout_app::{Assignment, TaskKey, ports::Topic};
use sprout_domain::WorkerId;
use sprout_proto::worker::{Cancel, SessionResponse, session_response::Message as Say};
use tokio::time::timeout;

use crate::{Fleet, Running, convert, crash_point};

/// Tasks are looked for this often even if no wake-up came.
const SWEEP: Duration = Duration::from_secs(1);
/// Tasks given to one worker at once, so that several workers share what there is.
const SHARE: usize = 16;

impl Fleet {
    /// Gives out tasks, and tells workers to stop tasks, until dropped. Run once per process.
    pub async fn run(self: Arc<Self>) {
        let mut tasks = self.app.bus().subscribe(Topic::Tasks);
        let mut cancels = self.app.bus().subscribe(Topic::Cancels);
        let mut wait = SWEEP;
        loop {
            tokio::select! {
                _ = tasks.changed() => {}
                () = self.room.notified() => {}
                _ = cancels.changed() => self.cancel().await,
                () = tokio::time::sleep(wait) => {}
            }
            wait = self.dispatch().await;
        }
    }

    /// Gives out what can be given out now; returns how long until it is worth looking again without a wake-up.
    async fn dispatch(&self) -> Duration {
        loop {
            let free = self.free();
            if free.is_empty() {
                return SWEEP;
            }
            let mut given = 0;
            for (worker, drivers, room) in free {
                match self.app.claim_tasks(&worker, &drivers, room as u64).await {
                    Ok(assignments) => {
                        given += assignments.len();
                        self.assign(&worker, assignments).await;
                    }
                    Err(error) => {
                        tracing::warn!(%worker, %error, "looking for tasks failed; trying again");
                        return SWEEP;
                    }
                }
            }
            if given == 0 {
                return match self.app.next_task_due().await {
                    Ok(Some(due)) => due.min(SWEEP),
                    Ok(None) | Err(_) => SWEEP, // an error was or will be reported by claiming
                };
            }
        }
    }

    /// Workers with room, the emptiest first.
    fn free(&self) -> Vec<(WorkerId, Vec<String>, usize)> {
        let sessions = self.sessions();
        let mut free: Vec<_> = sessions
            .iter()
            .filter(|(_, session)| !session.outgoing.is_closed() && session.outgoing.capacity() > SHARE)
            .map(|(worker, session)| {
                let room = session.slots.saturating_sub(session.running.len());
                (worker.clone(), session.drivers.clone(), room)
            })
            .filter(|(_, _, room)| *room > 0)
            .collect();
        free.sort_by_key(|(_, _, room)| std::cmp::Reverse(*room));
        free.into_iter().map(|(worker, drivers, room)| (worker, drivers, room.min(SHARE))).collect()
    }

    async fn assign(&self, worker: &WorkerId, assignments: Vec<Assignment>) {
        for assignment in assignments {
            let (key, running) = Running::of(&assignment.task);
            crash_point(&format!("server.{}.assigned", running.step));
            let outgoing = self.sessions().get_mut(worker).map(|session| {
                session.running.insert(key, running.clone());
                session.outgoing.clone()
            });
            // Should the session be gone: the tasks are the worker's, and are given to others when it is back without them, or silent for too long.
            let Some(outgoing) = outgoing else { return };
            self.log_assigned(&running.log(), running.step, key, worker).await;
            let message = Say::Assign(convert::assign(assignment));
            let _ = outgoing.send(Ok(SessionResponse { message: Some(message) })).await;
        }
    }

    async fn cancel(&self) {
        let workers: Vec<_> = self.connected().into_iter().collect();
        let cancels = match timeout(SWEEP * 5, self.app.tasks_to_cancel(&workers)).await {
            Ok(Ok(cancels)) => cancels,
            Ok(Err(error)) => return tracing::warn!(%error, "looking for tasks to stop failed"),
            Err(_) => return tracing::warn!("looking for tasks to stop took too long"),
        };
        for (worker, key) in cancels {
            self.send_cancel(&worker, key).await;
        }
    }

    async fn send_cancel(&self, worker: &WorkerId, key: TaskKey) {
        let outgoing = self.sessions().get(worker).map(|session| session.outgoing.clone());
        if let Some(outgoing) = outgoing {
            let cancel = Cancel { task: Some(convert::task_ref(key)), reason: "its workflow was ended".to_owned() };
            let _ = outgoing.send(Ok(SessionResponse { message: Some(Say::Cancel(cancel)) })).await;
        }
    }
}
