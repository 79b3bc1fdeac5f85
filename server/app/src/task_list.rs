//! Tasks as staff look at them: lists, single ones, and their logs.

use sprout_domain::{
    Error, Reason, Result, TaskId, WorkerId,
    worker::Worker,
    workflow::{Subject, Task, TaskState},
};

use crate::{
    App, log,
    ports::{LogOf, Page, TaskFilter},
};

impl App {
    /// A page of tasks, newest first.
    pub async fn tasks(&self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>> {
        if let Some(key) = &filter.provider {
            self.catalogue().provider(key)?;
        }
        self.ports.store.read().await?.tasks(filter, page).await
    }

    /// One task.
    pub async fn task(&self, id: TaskId) -> Result<Task> {
        let found = self.ports.store.read().await?.task(id).await?;
        found.ok_or_else(|| {
            Error::new(Reason::TaskNotFound, format!("there is no task {id}, or it ended long ago and was pruned"))
        })
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
            // Pings log nothing.
            Subject::Nothing => return Ok((Vec::new(), position)),
        };
        let (mut lines, position) = self.ports.logs.read(&of, position, limit).await?;
        lines.retain(|line| log::is_of(line, task.id));
        Ok((lines, position))
    }
}
