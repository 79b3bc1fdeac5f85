//! Tasks as staff look at them: lists, single ones, and their logs.

use sprout_domain::{
    Error, Reason, Result, TaskId, WorkerId,
    worker::Worker,
    workflow::{Subject, Task, TaskState},
};

use crate::{
    App, log,
    ports::{LogOf, Page, TaskFilter, Tx},
};

impl App {
    /// A page of tasks, newest first.
    pub async fn tasks(&self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>> {
        let mut tx = self.ports.store.read().await?;
        if let Some(key) = &filter.provider
            && let Err(unknown) = self.catalogue().provider(key)
        {
            // What waits on one that was taken out of the configuration can be seen still.
            let known = tx.providers().await?.iter().any(|provider| provider.key == *key);
            known.then_some(()).ok_or(unknown)?;
        }
        let mut tasks = tx.tasks(filter, page).await?;
        self.tell_tasks(tx.as_mut(), &mut tasks).await?;
        Ok(tasks)
    }

    /// One task.
    pub async fn task(&self, id: TaskId) -> Result<Task> {
        let mut tx = self.ports.store.read().await?;
        let mut found = tx.task(id).await?;
        self.tell_tasks(tx.as_mut(), found.as_mut_slice()).await?;
        found.ok_or_else(|| {
            Error::new(Reason::TaskNotFound, format!("there is no task {id}, or it ended long ago and was pruned"))
        })
    }

    /// Says of tasks that wait where nobody takes them.
    pub(crate) async fn tell_tasks(&self, tx: &mut dyn Tx, tasks: &mut [Task]) -> Result<()> {
        if tasks.iter().any(|task| matches!(task.state, TaskState::Ready | TaskState::Retrying)) {
            let service = self.service(tx).await?;
            for task in tasks {
                service.tell_task(task);
            }
        }
        Ok(())
    }

    /// One worker, and what it runs, the newest thousand.
    pub async fn worker_with_tasks(&self, id: &WorkerId) -> Result<(Worker, Vec<Task>)> {
        let worker = self.worker(id).await?;
        let filter = TaskFilter { states: vec![TaskState::Running], worker: Some(id.clone()), ..TaskFilter::default() };
        Ok((worker, self.tasks(&filter, Page { before: None, limit: 1000 }).await?))
    }

    /// Lines of a task in the log of its subject, from a byte position of that log on, and the position after what was looked at. At most `limit` lines of
    /// the log are looked at. Only when the position stays, there is no more.
    pub async fn task_log(&self, task: &Task, position: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        let of = match &task.subject {
            Subject::Appliance(id) => LogOf::Appliance(*id),
            Subject::Provider(key) => LogOf::Provider(key.clone()),
            Subject::Template(_) | Subject::Machine(_) => LogOf::Provider(task.provider.clone()),
            // Pings log nothing.
            Subject::Nothing => return Ok((Vec::new(), position)),
        };
        let (mut lines, position) = self.ports.logs.read(&of, position, limit).await?;
        lines.retain(|line| log::is_of(line, task.id));
        Ok((lines, position))
    }
}
