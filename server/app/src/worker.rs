//! Workers: sessions opening and closing, and what becomes of their tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use sprout_domain::{
    Error, Reason, Result, Timestamp, WorkerId,
    event::{EventKind, NewEvent},
    worker::Worker,
    workflow::{Subject, Task, TaskState},
};

use crate::{
    App, TaskKey,
    ports::{SessionRow, TaskChange, Topic, WorkerHello},
    task::key,
    work::{Work, repeated},
};

/// A worker unheard of for this long loses its tasks.
pub const LEASE: Duration = Duration::from_secs(10);

/// One without tasks that was unheard for this long is connected no more: its server has died with it.
const QUIET: Duration = Duration::from_secs(20);

/// What becomes of the tasks a worker says it still runs.
#[derive(Debug, Clone)]
pub struct Reconnected {
    /// It goes on with these.
    pub kept: Vec<Task>,
    /// It is to stop these: they are no longer its.
    pub revoked: Vec<TaskKey>,
    /// It is drained: it is given nothing new.
    pub drained: bool,
}

/// A longer pause between two looks is a break: what workers said meanwhile may not have been written down.
const BREAK: Duration = Duration::from_secs(5);

/// Since when this process has listened without a break, by the database's clock, which also goes on while a machine sleeps.
#[derive(Debug, Default)]
pub(crate) struct Listening(Option<(Timestamp, Timestamp)>);

impl Listening {
    /// The database answered just now; returns for how long it has done so without a break.
    fn look(&mut self, now: Timestamp) -> Duration {
        let since = match self.0 {
            // Two who look at the same time may come in the other order.
            Some((since, last)) if (now - last).abs().to_std().is_ok_and(|pause| pause <= BREAK) => since,
            _ => now, // also where the clock went back
        };
        self.0 = Some((since, now));
        (now - since).to_std().unwrap_or_default()
    }
}

impl App {
    /// All workers, by id.
    pub async fn workers(&self) -> Result<Vec<Worker>> {
        self.seen_workers(None).await
    }

    async fn seen_workers(&self, only: Option<&WorkerId>) -> Result<Vec<Worker>> {
        let mut tx = self.ports.store.read().await?;
        let now = tx.now();
        let mut workers = tx.workers(only).await?;
        for worker in &mut workers {
            worker.connected = is_connected(worker, now);
        }
        Ok(workers)
    }

    /// One worker.
    pub async fn worker(&self, id: &WorkerId) -> Result<Worker> {
        self.seen_workers(Some(id)).await?.pop().ok_or_else(|| missing(id))
    }

    /// Gives a worker nothing new; what it runs goes on.
    pub async fn drain_worker(&self, id: &WorkerId) -> Result<Worker> {
        repeated(|| self.set_drained(id, true)).await
    }

    /// Gives a drained worker tasks again.
    pub async fn undrain_worker(&self, id: &WorkerId) -> Result<Worker> {
        repeated(|| self.set_drained(id, false)).await
    }

    async fn set_drained(&self, id: &WorkerId, drained: bool) -> Result<Worker> {
        let mut work = self.work().await?;
        work.tx.lock_worker(id).await?;
        let before = work.tx.workers(Some(id)).await?.pop().ok_or_else(|| missing(id))?;
        if before.drained != drained {
            work.tx.set_drained(id, drained).await?;
            let (state, says) =
                if drained { ("drained", "is given nothing new") } else { ("undrained", "is given tasks again") };
            work.emit(NewEvent::of_worker(id, state, format!("worker {id} {says}")));
        }
        let worker = Worker { drained, ..before };
        work.wake(Topic::Workers);
        work.wake(Topic::Tasks);
        work.commit().await?;
        Ok(worker)
    }

    /// Forgets a worker and its tokens, also one that was only about to join; its tasks are given to others, and whoever has its session ends it.
    pub async fn remove_worker(&self, id: &WorkerId) -> Result<()> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let mut known = work.tx.lock_worker(id).await?;
            let tasks = work.tx.tasks_of_worker(id).await?;
            release(&mut work, tasks).await?;
            // In this order: what someone is given who joins right now is deleted with the rest.
            known |= work.tx.delete_join_tokens(id).await?;
            known |= work.tx.delete_credentials(id).await?;
            work.tx.delete_worker(id).await?;
            if !known {
                return Err(missing(id));
            }
            work.emit(NewEvent::of_worker(id, "removed", format!("worker {id} was removed")));
            // Tokens that were remembered are forgotten by this.
            work.emit(NewEvent::new(
                EventKind::TokenRevoked,
                format!("worker {id} was removed, and its tokens with it"),
            ));
            work.wake(Topic::Workers);
            work.commit().await
        })
        .await
    }

    /// A worker opened a session and says what it still runs. What it should run and does not is given to others.
    pub async fn worker_connected(
        &self,
        hello: &WorkerHello,
        session: &str,
        running: &[TaskKey],
    ) -> Result<Reconnected> {
        hello.check()?;
        repeated(|| self.try_connect(hello, session, running)).await
    }

    async fn try_connect(&self, hello: &WorkerHello, session: &str, running: &[TaskKey]) -> Result<Reconnected> {
        let mut work = self.work().await?;
        // The session first: what its predecessor is being given just now is then seen below, and after that it is given nothing.
        let drained = work.tx.worker_connected(hello, session).await?;
        let mine = work.tx.tasks_of_worker(&hello.id).await?;
        let revoked = running.iter().filter(|r| !mine.iter().any(|task| key(task) == **r)).copied().collect();
        let (kept, lost) = mine.into_iter().partition(|task| running.contains(&key(task)));
        release(&mut work, lost).await?;
        let says = format!("worker {} is connected, with version {}", hello.id, hello.version);
        work.emit(NewEvent::of_worker(&hello.id, "connected", says));
        // What was cancelled while nobody could tell the worker is told now.
        work.wake(Topic::Cancels);
        work.commit().await?;
        Ok(Reconnected { kept, revoked, drained })
    }

    /// The sessions that the database has of these workers; what is not among them was removed.
    pub async fn worker_sessions(&self, workers: &[WorkerId]) -> Result<Vec<SessionRow>> {
        self.ports.store.read().await?.sessions(workers).await
    }

    /// A worker takes nothing new.
    pub async fn worker_leaving(&self, id: &WorkerId, session: &str) -> Result<()> {
        repeated(|| async move {
            let mut work = self.work().await?;
            if work.tx.worker_leaving(id, session).await? {
                let says = format!("worker {id} is leaving: it takes nothing new");
                work.emit(NewEvent::of_worker(id, "leaving", says));
            }
            work.commit().await
        })
        .await
    }

    /// A session closed. Its tasks stay with the worker, which may be back at once, until it has been silent for too long.
    pub async fn worker_disconnected(&self, id: &WorkerId, session: &str) -> Result<()> {
        repeated(|| async move {
            let mut work = self.work().await?;
            if work.tx.worker_disconnected(id, session).await? {
                work.emit(NewEvent::of_worker(id, "disconnected", format!("the session of worker {id} ended")));
            }
            work.commit().await
        })
        .await
    }

    /// Gives the tasks of workers that were silent for too long to others, and notes that those without are connected no more. Not before this process has listened for as long itself without a
    /// break: after a restart, and after an outage of the database, everyone has been silent, and is about to be heard. Returns how long until
    /// the next worker with tasks will have been silent for too long, if it is not heard before.
    pub async fn release_silent(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let silent = tx.silent_workers(LEASE, QUIET).await?;
        let oldest = tx.longest_silent_since().await?;
        let now = tx.now();
        drop(tx);
        if self.listened(now) < LEASE {
            return Ok(None);
        }
        for worker in &silent {
            repeated(|| self.release_worker(worker)).await?;
        }
        let age = |at: Timestamp| (now - at).to_std().unwrap_or_default();
        Ok(if silent.is_empty() { oldest.map(|at| LEASE.saturating_sub(age(at))) } else { None })
    }

    /// How many tasks each worker runs, as the database believes.
    pub async fn running_counts(&self) -> Result<BTreeMap<WorkerId, usize>> {
        Ok(self.workers().await?.into_iter().map(|worker| (worker.id, worker.running_count as usize)).collect())
    }

    /// Takes from a worker what it was given more than `LEASE` ago in this session and does not hold: the commit that gave it out went through, and
    /// whoever was to pass it on was never told so.
    pub async fn release_unheld(&self, worker: &WorkerId, session: &str, held: &BTreeSet<TaskKey>) -> Result<()> {
        repeated(|| async move {
            let mut work = self.work().await?;
            if work.tx.hold_sessions(&[(worker.clone(), session.to_owned())]).await?.is_empty() {
                return Ok(());
            }
            let now = work.tx.now();
            let old = |task: &Task| task.started_at.is_some_and(|at| (now - at).to_std().is_ok_and(|age| age > LEASE));
            let mut lost = work.tx.tasks_of_worker(worker).await?;
            lost.retain(|task| old(task) && !held.contains(&TaskKey { id: task.id, epoch: task.epoch }));
            if lost.is_empty() {
                return Ok(());
            }
            tracing::warn!(%worker, tasks = lost.len(), "tasks were given out that the worker was never told of; they are given out again");
            release(&mut work, lost).await?;
            work.commit().await
        })
        .await
    }

    /// For how long this process has listened to workers without a break; the database answered just now.
    pub(crate) fn listened(&self, now: Timestamp) -> Duration {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).look(now)
    }

    async fn release_worker(&self, worker: &WorkerId) -> Result<()> {
        let mut work = self.work().await?;
        if !work.tx.hold_silent(worker, LEASE).await? {
            return Ok(()); // it is back
        }
        // Should it be heard again in that session, nobody may confirm what it holds: it has to say so in a new one.
        work.tx.end_session(worker).await?;
        let tasks = work.tx.tasks_of_worker(worker).await?;
        tracing::warn!(%worker, tasks = tasks.len(), "worker is silent; its tasks are given to others");
        let says = format!("worker {worker} was silent for too long; {} tasks of it are given to others", tasks.len());
        work.emit(NewEvent::of_worker(worker, "silent", says));
        release(&mut work, tasks).await?;
        work.wake(Topic::Workers);
        work.commit().await
    }
}

/// A session of it is open, and it was heard lately: where its server died, nobody noted that it left.
pub(crate) fn is_connected(worker: &Worker, now: Timestamp) -> bool {
    let quiet = (now - worker.last_heard_at).to_std().is_ok_and(|ago| ago > QUIET);
    worker.connected && !quiet
}

fn missing(id: &WorkerId) -> Error {
    Error::new(Reason::WorkerNotFound, format!("there is no worker {id}; see `sproutctl worker list`"))
}

/// Takes tasks (locked) from their worker: they are ready again, or, if they were to be stopped, are cancelled, and what waited for that goes on.
async fn release(work: &mut Work, tasks: Vec<Task>) -> Result<()> {
    let (stopped, again): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.cancel_requested);
    let ids = |tasks: &[Task]| tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    if !again.is_empty() {
        work.tx.change_tasks(&ids(&again), &TaskChange::to(TaskState::Ready).uncounted()).await?;
    }
    if !stopped.is_empty() {
        work.tx.change_tasks(&ids(&stopped), &TaskChange::to(TaskState::Cancelled)).await?;
        let subjects: Vec<_> = stopped.into_iter().map(|task| task.subject).collect();
        unblock(work, &subjects).await?;
    }
    work.wake(Topic::Tasks);
    Ok(())
}

/// Lets the next workflow of each subject begin, now that nothing else of it is under way.
pub(crate) async fn unblock(work: &mut Work, subjects: &[Subject]) -> Result<()> {
    let live = work.tx.live_workflows(subjects).await?;
    let mut first: Vec<_> = Vec::new();
    for subject in subjects {
        let mut mine = live.iter().filter(|workflow| workflow.subject == *subject);
        if let Some(next) = mine.next() {
            first.push((next.id, 0));
        }
    }
    if !first.is_empty() {
        work.tx.ready_tasks(&first).await?;
        work.wake(Topic::Tasks);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_whose_server_died_is_connected_no_more() {
        let at = |second: i64| Timestamp::from_timestamp(second, 0).unwrap();
        let worker = |connected: bool| Worker {
            id: "w".into(),
            version: "1".to_owned(),
            connected,
            slots: sprout_domain::worker::Slots::default(),
            running_count: 0,
            drivers: Vec::new(),
            labels: BTreeMap::new(),
            drained: false,
            leaving: false,
            last_heard_at: at(100),
        };
        let look = |connected: bool, second: i64| is_connected(&worker(connected), at(second));
        assert_eq!([look(true, 100), look(true, 119), look(true, 121), look(false, 101)], [true, true, false, false]);
        assert!(look(true, 90), "the clock went back");
    }

    #[test]
    fn silence_during_a_break_proves_nothing() {
        let mut listening = Listening::default();
        let mut look = |second: i64| listening.look(Timestamp::from_timestamp(second, 0).unwrap()).as_secs();
        assert_eq!([look(100), look(101), look(105), look(110)], [0, 1, 5, 10]);
        assert_eq!([look(130), look(131)], [0, 1], "the database was away for twenty seconds");
        assert_eq!([look(50), look(52)], [0, 2], "its clock was set back");
    }
}
