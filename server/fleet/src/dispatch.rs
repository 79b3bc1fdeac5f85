//! The dispatcher: as soon as a task is ready and a worker has room, the two meet.

use std::{sync::Arc, time::Duration};

use sprout_app::{Assignment, TaskKey, ports::Topic};
use sprout_domain::WorkerId;
use sprout_proto::worker::{Cancel, SessionResponse, session_response::Message as Say};
use tokio::{sync::mpsc::error::TrySendError, time::timeout};

use crate::{Fleet, Running, convert, crash_point};

/// Tasks are looked for this often even if no wake-up came.
const SWEEP: Duration = Duration::from_secs(1);
/// Tasks to stop are looked for this often even if no wake-up came.
const CANCEL_SWEEP: Duration = Duration::from_secs(5);
/// Tasks given to one worker at once, so that several workers share what there is.
const SHARE: usize = 16;

/// A session with room for tasks.
struct Free {
    worker: WorkerId,
    session: String,
    drivers: Vec<String>,
    room: usize,
}

impl Fleet {
    /// Gives out tasks, and tells workers to stop tasks, until dropped. Run once per process.
    pub async fn run(self: Arc<Self>) {
        let mut tasks = self.app.bus().subscribe(Topic::Tasks);
        let mut cancels = self.app.bus().subscribe(Topic::Cancels);
        let mut wait = SWEEP;
        // A cancellation that could not be read or sent, or whose wake-up got lost, is told at the next sweep.
        let mut sweep = tokio::time::interval(CANCEL_SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tasks.changed() => {}
                () = self.room.notified() => {}
                _ = cancels.changed() => self.cancel().await,
                _ = sweep.tick() => self.cancel().await,
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
            for Free { worker, session, drivers, room } in free {
                match self.app.claim_tasks(&worker, &session, &drivers, room as u64).await {
                    Ok(assignments) => {
                        given += assignments.len();
                        self.assign(&worker, &session, assignments).await;
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
    fn free(&self) -> Vec<Free> {
        let sessions = self.sessions();
        let mut free: Vec<_> = sessions
            .iter()
            .filter(|(_, session)| !session.outgoing.is_closed() && session.outgoing.capacity() > SHARE)
            .map(|(worker, session)| Free {
                worker: worker.clone(),
                session: session.id.clone(),
                drivers: session.drivers.clone(),
                room: session.slots.saturating_sub(session.running.len()),
            })
            .filter(|free| free.room > 0)
            .collect();
        free.sort_by_key(|free| std::cmp::Reverse(free.room));
        for free in &mut free {
            free.room = free.room.min(SHARE);
        }
        free
    }

    async fn assign(&self, worker: &WorkerId, session: &str, assignments: Vec<Assignment>) {
        for assignment in assignments {
            let (key, running) = Running::of(&assignment.task);
            crash_point(&format!("server.{}.assigned", running.step));
            let log = running.log();
            let step = running.step;
            let outgoing = self.sessions().get_mut(worker).filter(|open| open.id == session).map(|open| {
                open.running.insert(key, running);
                open.outgoing.clone()
            });
            // Should the session be gone: the tasks are the worker's, and are given to others when it is back without them, or silent for too long.
            // A newer session is not told: they were taken back when it was opened.
            let Some(outgoing) = outgoing else { return };
            self.log_assigned(&log, step, key, worker).await;
            let message = Say::Assign(convert::assign(assignment));
            if let Err(TrySendError::Full(_)) = outgoing.try_send(Ok(SessionResponse { message: Some(message) })) {
                // Nobody else waits for a worker that does not read; it starts over, and what it was not told is given out again.
                tracing::warn!(%worker, "worker does not take what it is given; its session is ended");
                return self.end(worker, session);
            }
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
            self.send_cancel(&worker, key);
        }
    }

    fn send_cancel(&self, worker: &WorkerId, key: TaskKey) {
        let outgoing = self.sessions().get(worker).map(|session| session.outgoing.clone());
        if let Some(outgoing) = outgoing {
            let cancel = Cancel { task: Some(convert::task_ref(key)), reason: "its workflow was ended".to_owned() };
            // No room, or a session that has just ended: the next sweep tells it.
            let _ = outgoing.try_send(Ok(SessionResponse { message: Some(Say::Cancel(cancel)) }));
        }
    }
}
