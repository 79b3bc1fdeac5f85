//! Workflows as the store keeps them: made with their tasks, begun, ended with their parents, pruned.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, ProviderKey, Result, Timestamp, UserId, WorkflowId,
    workflow::{Subject, Task, Workflow, WorkflowKind, WorkflowState},
};

use super::Page;

/// A workflow to insert together with its tasks.
#[derive(Debug, Clone)]
pub struct NewWorkflow {
    /// What it does; its steps become tasks.
    pub kind: WorkflowKind,
    /// What it is about.
    pub subject: Subject,
    /// Where its tasks work; none for parents.
    pub provider: Option<ProviderKey>,
    /// For fairness: for whom it is; none: for the service itself.
    pub owner_id: Option<UserId>,
    /// Lower goes first within its lane; 0 for people, 1 for refilling.
    pub priority: i16,
    /// Its first task is blocked, because another workflow of the subject has a step under way.
    pub wait: bool,
    /// Its first task can be given out after this long.
    pub start_in: Duration,
    /// After this long it is late ([`crate::App::deal_with_late`]); none: it never is.
    pub late_in: Option<Duration>,
    /// Of workflows that have not ended, only one has this key.
    pub dedup_key: Option<String>,
    /// The workflow it is a part of.
    pub parent_id: Option<WorkflowId>,
}

impl NewWorkflow {
    /// A workflow for people, about to begin at once, with the key that its kind has.
    pub fn new(kind: WorkflowKind, subject: Subject, provider: Option<ProviderKey>) -> Self {
        Self {
            dedup_key: kind.dedup_key(&subject),
            kind,
            subject,
            provider,
            owner_id: None,
            priority: 0,
            wait: false,
            start_in: Duration::ZERO,
            late_in: None,
            parent_id: None,
        }
    }

    /// One that is a parent of others.
    pub fn parent(kind: WorkflowKind) -> Self {
        Self::new(kind, Subject::Nothing, None)
    }
}

/// What became of a workflow to insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Its id, or that of the one that has its key.
    pub id: WorkflowId,
    /// It was inserted.
    pub is_new: bool,
}

/// How a workflow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: WorkflowId,
    /// Its last state.
    pub state: WorkflowState,
    /// Why it failed, for people; empty otherwise.
    pub error: String,
}

impl Ended {
    pub(crate) fn succeeded(id: WorkflowId) -> Self {
        Self { id, state: WorkflowState::Succeeded, error: String::new() }
    }

    pub(crate) fn failed(id: WorkflowId, error: impl Into<String>) -> Self {
        Self { id, state: WorkflowState::Failed, error: error.into() }
    }

    pub(crate) fn cancelled(id: WorkflowId) -> Self {
        Self { id, state: WorkflowState::Cancelled, error: String::new() }
    }
}

/// A workflow that is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveWorkflow {
    /// Identity.
    pub id: WorkflowId,
    /// What it does.
    pub kind: WorkflowKind,
    /// What it is about.
    pub subject: Subject,
    /// One of its tasks is with a worker.
    pub has_running_task: bool,
}

/// Which workflows to list.
#[derive(Debug, Clone, Default)]
pub struct WorkflowFilter {
    /// Only in one of these states; empty: those that have not ended, or, of one appliance or parent, any.
    pub states: Vec<WorkflowState>,
    /// Only of this kind.
    pub kind: Option<WorkflowKind>,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
    /// Only of this appliance.
    pub appliance_id: Option<ApplianceId>,
    /// Only parts of this one.
    pub parent_id: Option<WorkflowId>,
}

/// Workflows.
#[async_trait]
pub trait WorkflowRows: Send {
    /// Inserts workflows with their tasks: the first ready (or blocked, if it must wait), the others blocked. A parent is running from the beginning.
    /// Where a workflow that has not ended has the same key, that one counts. Each gets its owner's next turn (see [`sprout_domain::turn`]).
    /// Returns what became of each, in the same order.
    async fn insert_workflows(&mut self, workflows: Vec<NewWorkflow>) -> Result<Vec<Begun>>;

    /// Inserts a parent of this kind and so many parts of it, all alike, in as many statements as for one part. Neither has a key. Returns the parent.
    async fn insert_parent_of(&mut self, parent: WorkflowKind, part: &NewWorkflow, count: u32) -> Result<Workflow>;

    /// Makes those of these workflows that have not ended and have no parent parts of this one as well, and writes down how many parts it has,
    /// which is returned. In the transaction that inserted it.
    async fn gather_parts(&mut self, parent: WorkflowId, others: &[WorkflowId]) -> Result<u32>;

    /// Workflows of these subjects (appliances) that are not final, with their unfinished tasks locked until the transaction ends. Tasks are locked
    /// before pools, and pools before appliances, always.
    async fn live_workflows(&mut self, subjects: &[Subject]) -> Result<Vec<LiveWorkflow>>;

    /// Of these workflows, and of the parts of this parent, up to `limit` that have not ended, with their unfinished tasks locked until the
    /// transaction ends.
    async fn lock_workflows(&mut self, which: &WorkflowsToLock, limit: u64) -> Result<Vec<Workflow>>;

    /// Ends those of these workflows that have not ended, each in its own way, and counts them for their parents, all in as many statements as
    /// for one. Returns the parents that ended with the last of their parts.
    async fn end_workflows(&mut self, ended: &[Ended]) -> Result<Vec<Workflow>>;

    /// Ends the tasks of these workflows: those with a worker get `cancel_requested`, the others become cancelled.
    async fn cancel_tasks(&mut self, workflows: &[WorkflowId]) -> Result<()>;

    /// Makes the blocked tasks at these positions of workflows ready, due now.
    async fn ready_tasks(&mut self, tasks: &[(WorkflowId, u32)]) -> Result<()>;

    /// When the next task that waits for a time (to be tried again, or to begin later) is due that is not due yet.
    async fn next_due(&mut self) -> Result<Option<Timestamp>>;

    /// A page of workflows, newest first.
    async fn workflows(&mut self, filter: &WorkflowFilter, page: Page) -> Result<Vec<Workflow>>;

    /// One workflow.
    async fn workflow(&mut self, id: WorkflowId) -> Result<Option<Workflow>>;

    /// The tasks of a workflow, in order.
    async fn tasks_of_workflow(&mut self, id: WorkflowId) -> Result<Vec<Task>>;

    /// Deletes up to `limit` workflows that ended longer than `keep` ago, the oldest first, with their tasks; not those with parts that are still
    /// there, nor those with a task still with a worker. Returns how many it deleted.
    async fn prune_workflows(&mut self, keep: Duration, limit: u64) -> Result<u64>;
}

/// Which workflows to lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowsToLock {
    /// One.
    One(WorkflowId),
    /// The parts of one.
    PartsOf(WorkflowId),
}
