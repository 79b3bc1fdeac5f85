//! Workers: sessions opening and closing, and what becomes of their tasks.

use std::time::Duration;

use sprout_domain::{
    Result, WorkerId,
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
        let mine = work.tx.tasks_of_worker(&hello.id).await?;
        work.tx.worker_connected(hello, session).await?;
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

    /// Gives the tasks of workers that were silent for too long to others. Not before this process has listened for as long itself: after a
    /// restart everyone has been silent, and is about to reconnect.
    pub async fn release_silent(&self) -> Result<()> {
        if self.started_at.elapsed() < SILENCE {
            return Ok(());
        }
        let silent = self.ports.store.read().await?.silent_workers(SILENCE).await?;
        for worker in silent {
            let mut work = self.work().await?;
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
