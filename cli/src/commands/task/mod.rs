//! `sproutctl task …`

pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod retry;

use sprout_client::proto::task::Task;

use crate::{failure::Failure, output::task::TaskView};

/// The task of an answer.
fn task_of(task: Option<Task>) -> Result<TaskView, Failure> {
    task.map(TaskView::from).ok_or(Failure::Incomplete("task"))
}
