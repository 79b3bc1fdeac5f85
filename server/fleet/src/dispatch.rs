//! The dispatcher: as soon as tasks are ready and workers have room, they meet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sprout_app::{Assignment, TaskKey, ports::Topic};
use sprout_domain::{WorkerId, dispatch::FreeWorker};
use sprout_proto::worker::session_response::Message as Say;

use crate::{Fleet, Running, convert, crash_point, session::ANSWERS};

/// Tasks are looked for this often even if no wake-up came.
const SWEEP: Duration = Duration::from_secs(1);

impl Fleet {
    /// Gives out tasks.
    pub(crate) async fn dispatch_tasks(self: Arc<Self>) {
        let mut tasks = self.app.bus().subscribe(Topic::Tasks);
        loop {
            // What is published from here on may be missed by the look, and wakes us after it.
            tasks.mark_unchanged();
            while self.dispatch().await {}
            let pause = async { tokio::time::sleep(self.until_due().await).await };
            tokio::select! {
                biased;
                _ = tasks.changed() => {}
                () = self.room.notified() => {}
                () = pause => {}
            }
        }
    }

    /// How long until it is worth looking again without a wake-up.
    async fn until_due(&self) -> Duration {
        if self.free().is_empty() {
            return SWEEP;
        }
        match self.app.next_task_due().await {
            Ok(Some(due)) => due.min(SWEEP),
            Ok(None) | Err(_) => SWEEP, // an error was or will be reported by claiming
        }
    }

    /// Gives out what can be given out now; returns whether it is worth looking again.
    async fn dispatch(&self) -> bool {
        let free = self.free();
        if free.is_empty() {
            return false;
        }
        match self.app.claim_tasks(&free).await {
            Ok(assignments) if assignments.is_empty() => false,
            Ok(assignments) => {
                self.assign(&free, assignments);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "looking for tasks failed; trying again");
                false
            }
        }
    }

    /// Workers with room, in any order, so that of equals it is not always the same that is given a task first.
    fn free(&self) -> Vec<FreeWorker> {
        let sessions = self.sessions();
        let mut free: Vec<_> = sessions
            .iter()
            .filter(|(_, open)| !open.drained && !open.leaving && !open.outgoing.is_closed())
            .filter_map(|(worker, open)| {
                let mut room = open.slots.left(open.running.values().map(|running| running.lane));
                // A worker that has not read what it was told is given less.
                let unsent = u32::try_from(open.outgoing.capacity().saturating_sub(ANSWERS)).unwrap_or(u32::MAX);
                room.shared = room.shared.min(unsent);
                (room.total() > 0 && unsent > 0).then(|| FreeWorker {
                    id: worker.clone(),
                    session: open.id.clone(),
                    drivers: open.drivers.clone(),
                    room,
                })
            })
            .collect();
        if !free.is_empty() {
            let middle = fastrand::usize(..free.len());
            free.rotate_left(middle);
        }
        free
    }

    fn assign(&self, free: &[FreeWorker], assignments: Vec<Assignment>) {
        let mut by_worker: BTreeMap<WorkerId, Vec<(TaskKey, Running, Say)>> = BTreeMap::new();
        for assignment in assignments {
            let (key, running) = Running::of(&assignment.task);
            crash_point(&format!("server.{}.assigned", running.step));
            if let Some(worker) = assignment.task.worker.clone() {
                let message = Say::Assign(convert::assign(assignment));
                by_worker.entry(worker).or_default().push((key, running, message));
            }
        }
        for (worker, given) in by_worker {
            let Some(FreeWorker { session, .. }) = free.iter().find(|free| free.id == worker) else { continue };
            for (key, running, _) in &given {
                self.log_of_server(running, *key, &worker, "given to the worker");
            }
            let mut sessions = self.sessions();
            // Should the session be gone: the tasks are the worker's, and are given to others when it is back without them, or silent for too long.
            // A newer session is not told: they were taken back when it was opened.
            let Some(open) = sessions.get_mut(&worker).filter(|open| open.id == *session) else { continue };
            let mut reads = true;
            for (key, running, message) in given {
                open.running.insert(key, running);
                reads = reads && open.tell(message);
            }
            drop(sessions);
            if !reads {
                self.end_unread(&worker, session);
            }
        }
    }
}
