//! Tasks as staff look at them: lists and single ones, nothing locked.

use async_trait::async_trait;
use sprout_domain::{
    ProviderKey, Result, TaskId, WorkerId, WorkflowId,
    workflow::{Task, TaskState},
};

use super::Page;

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only in one of these states; empty: in those that are not final, or, of one workflow, in any.
    pub states: Vec<TaskState>,
    /// Only those that this worker has, or had last.
    pub worker: Option<WorkerId>,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
    /// Only of this workflow.
    pub workflow: Option<WorkflowId>,
}

/// Tasks, to be looked at.
#[async_trait]
pub trait TaskListRows: Send {
    /// A page of tasks, newest first. What has not ended is found without reading what has.
    async fn tasks(&mut self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>>;

    /// One task, not locked.
    async fn task(&mut self, id: TaskId) -> Result<Option<Task>>;
}
