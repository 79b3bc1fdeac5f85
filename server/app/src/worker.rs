//! Workers: sessions opening and closing, and what becomes of their tasks.

use std::{sync::PoisonError, time::Duration};

use sprout_domain::{
    Result, Timestamp, WorkerId,
    worker::Worker,
    workflow::{Subject, Task, TaskState},
};

use crate::{
    App, TaskKey,
    ports::{TaskChange, Topic, WorkerHello},
    work::Work,
};

/// A worker unheard of for this long loses its tasks.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// What becomes of the tasks a worker says it still runs.
#[derive(Debug, Clone)]
pub struct Reconnected {
    /// It goes on with these.
    pub kept: Vec<Task>,
    /// It is to stop these: they are no longer its.
    pub revoked: Vec<TaskKey>,
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
            Some((since, last)) if (now - last).to_std().is_ok_and(|pause| pause <= BREAK) => since,
            _ => now, // also where the clock went back
        };
        self.0 = Some((since, now));
        (now - since).to_std().unwrap_or_default()
    }
}

impl App {
    /// All workers, by id.
    pub async fn workers(&self) -> Result<Vec<Worker>> {
        self.ports.store.read().await?.workers().await
    }

    /// A worker opened a session and says what it still runs. What it should run and does not is given to others.
    pub async fn worker_connected(
        &self,
        hello: &WorkerHello,
        session: &str,
        running: &[TaskKey],
    ) -> Result<Reconnected> {
        let mut work = self.work().await?;
        // The session first: what its predecessor is being given just now is then seen below, and after that it is given nothing.
        work.tx.worker_connected(hello, session).await?;
        let mine = work.tx.tasks_of_worker(&hello.id).await?;
        let key = |task: &Task| TaskKey { id: task.id, epoch: task.epoch };
        let revoked = running.iter().filter(|r| !mine.iter().any(|task| key(task) == **r)).copied().collect();
        let (kept, lost) = mine.into_iter().partition(|task| running.contains(&key(task)));
        release(&mut work, lost).await?;
        // What was cancelled while nobody could tell the worker is told now.
        work.wake(Topic::Cancels);
        work.commit().await?;
        Ok(Reconnected { kept, revoked })
    }

    /// Notes that these sessions live.
    pub async fn workers_heard(&self, sessions: &[(WorkerId, String)]) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.workers_heard(sessions).await?;
        work.commit().await
    }

    /// A session closed. Its tasks stay with the worker, which may be back at once, until it has been silent for too long.
    pub async fn worker_disconnected(&self, id: &WorkerId, session: &str) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.worker_disconnected(id, session).await?;
        work.commit().await
    }

    /// Gives the tasks of workers that were silent for too long to others. Not before this process has listened for as long itself without a
    /// break: after a restart, and after an outage of the database, everyone has been silent, and is about to be heard.
    pub async fn release_silent(&self) -> Result<()> {
        let mut tx = self.ports.store.read().await?;
        let silent = tx.silent_workers(SILENCE).await?;
        let listened = self.listening.lock().unwrap_or_else(PoisonError::into_inner).look(tx.now());
        drop(tx);
        if listened < SILENCE {
            return Ok(());
        }
        for worker in silent {
            let mut work = self.work().await?;
            if !work.tx.hold_silent(&worker, SILENCE).await? {
                continue; // it is back
            }
            let tasks = work.tx.tasks_of_worker(&worker).await?;
            tracing::warn!(%worker, tasks = tasks.len(), "worker is silent; its tasks are given to others");
            release(&mut work, tasks).await?;
            work.commit().await?;
        }
        Ok(())
    }
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
    fn silence_during_a_break_proves_nothing() {
        let mut listening = Listening::default();
        let mut look = |second: i64| listening.look(Timestamp::from_timestamp(second, 0).unwrap()).as_secs();
        assert_eq!([look(100), look(101), look(105), look(110)], [0, 1, 5, 10]);
        assert_eq!([look(130), look(131)], [0, 1], "the database was away for twenty seconds");
        assert_eq!([look(50), look(52)], [0, 2], "its clock was set back");
    }
}
