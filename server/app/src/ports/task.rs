//! Tasks, from being given out to their end, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, Result, TaskId, Timestamp, WorkerId, WorkflowId,
    dispatch::Server,
    workflow::{Task, TaskState},
};

use super::ApplianceChange;
use crate::TaskKey;

/// What a dispatch asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Those with room, whose sessions are held.
    pub servers: Vec<Server>,
    /// At most this many tasks.
    pub limit: u32,
}

/// What a dispatch gets.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// The tasks, running, each with its worker, in the order in which they were given out.
    pub tasks: Vec<Task>,
    /// Others were kept from everyone until this transaction ends, and were not given out after all.
    pub passed_over: bool,
}

/// What of a task changes together.
#[derive(Debug, Clone)]
pub struct TaskChange {
    /// New state; not running. The task keeps the name of the worker that had it; done, failed and cancelled set `finished_at`.
    pub state: TaskState,
    /// When it can be given out, from now.
    pub due_in: Duration,
    /// Why it failed, for people; empty otherwise.
    pub error: String,
    /// The try does not count (a worker lost it).
    pub uncount_attempt: bool,
}

/// A step goes on.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Which assignment; if it is no longer current, nothing is noted.
    pub task: TaskKey,
    /// Its appliance, if it is about one.
    pub appliance: Option<ApplianceId>,
    /// What it does just now, for people.
    pub status: String,
    /// It must be heard of again within this time.
    pub limit: Duration,
}

/// The next task of a workflow, to be given to whoever ended the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOn {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Which of its tasks.
    pub position: u32,
    /// To whom.
    pub to: WorkerId,
    /// It must be heard of within this time.
    pub limit: Duration,
}

/// Tasks.
#[async_trait]
pub trait TaskRows: Send {
    /// Gives due tasks (ready or retrying) to those with room, by lane, priority, turn and age: running, next epoch, one more attempt; a
    /// workflow whose first step is among them is running, too. Those another transaction is about to take are skipped. Clone steps only as far as their provider has provisioning slots and room for appliances,
    /// counted in this transaction with the provider rows locked.
    async fn claim_tasks(&mut self, claim: &Claim) -> Result<Claimed>;

    /// Gives blocked tasks to workers whose sessions this transaction holds: running, next epoch, one more attempt. Returns those that were blocked.
    async fn hand_on(&mut self, next: &[HandOn]) -> Result<Vec<Task>>;

    /// Tasks, locked until the transaction ends, in order of id.
    async fn lock_tasks(&mut self, ids: &[TaskId]) -> Result<Vec<Task>>;

    /// Changes tasks alike.
    async fn change_tasks(&mut self, ids: &[TaskId], change: &TaskChange) -> Result<()>;

    /// Makes tasks that wait for another try due now.
    async fn hurry_tasks(&mut self, ids: &[TaskId]) -> Result<()>;

    /// Changes appliances, each in its own way, in as many statements as for one.
    async fn change_each_appliance(&mut self, changes: &[(ApplianceId, ApplianceChange)]) -> Result<()>;

    /// Writes down that steps go on, and what they say. Returns those that do: whose assignment is current.
    async fn note_progress(&mut self, progress: &[Progress]) -> Result<Vec<TaskId>>;

    /// The tasks this worker runs, as the database believes, locked.
    async fn tasks_of_worker(&mut self, worker: &WorkerId) -> Result<Vec<Task>>;

    /// The tasks these workers run that are to be stopped, not locked.
    async fn tasks_to_cancel(&mut self, workers: &[WorkerId]) -> Result<Vec<Task>>;

    /// Those of these assignments that are still with their worker.
    async fn current(&mut self, tasks: &[TaskKey]) -> Result<Vec<(TaskKey, WorkerId)>>;

    /// Has running tasks stopped, to be tried again as if they had failed with `error`. Those that are to be stopped already stay as they are.
    async fn stop_tasks(&mut self, ids: &[TaskId], error: &str) -> Result<()>;

    /// Running tasks, at most `limit`, that were silent for too long and are not to be stopped yet; locked, without those that are locked already.
    async fn silent_tasks(&mut self, limit: u64) -> Result<Vec<Task>>;

    /// Running tasks, at most `limit`, that were to be stopped this long ago or longer, not locked.
    async fn unanswered_tasks(&mut self, told_for: Duration, limit: u64) -> Result<Vec<Task>>;

    /// When the next task that runs will have been silent for too long, or will have been told for this long to stop.
    async fn next_stop(&mut self, told_for: Duration) -> Result<Option<Timestamp>>;
}
