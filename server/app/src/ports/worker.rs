//! Workers and their sessions, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::worker::Worker;
pub use sprout_domain::worker::WorkerHello;
use sprout_domain::{Result, Timestamp, WorkerId};

/// A session in which something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The worker.
    pub worker: WorkerId,
    /// Its session.
    pub session: String,
    /// How long ago.
    pub ago: Duration,
}

/// A session as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The worker.
    pub worker: WorkerId,
    /// Its newest session; empty: it ended because the worker was silent for too long.
    pub session: String,
    /// It is given nothing new, by request.
    pub drained: bool,
}

/// Workers. Their rows are locked before tasks, always, and in order of id.
#[async_trait]
pub trait WorkerRows: Send {
    /// Inserts or updates a worker whose session `session` opens now; last heard now. Returns whether it is drained.
    async fn worker_connected(&mut self, hello: &WorkerHello, session: &str) -> Result<bool>;

    /// Inserts a worker that joined and has not been connected yet; nothing if it is known.
    async fn worker_joined(&mut self, id: &WorkerId) -> Result<()>;

    /// Those of these workers whose session this still is and that may be given something (neither drained nor leaving); so it stays until the
    /// transaction ends.
    async fn hold_sessions(&mut self, sessions: &[(WorkerId, String)]) -> Result<Vec<WorkerId>>;

    /// Whether this worker was not heard for this long; if so, it stays unheard until the transaction ends.
    async fn hold_silent(&mut self, worker: &WorkerId, unheard_for: Duration) -> Result<bool>;

    /// Ends the worker's session, whichever it is: nothing is given to it, and nothing said in it counts, until there is a new one.
    async fn end_session(&mut self, worker: &WorkerId) -> Result<()>;

    /// Notes that these workers were heard, each if this is still its session. Returns those.
    async fn workers_heard(&mut self, sessions: &[Heard]) -> Result<Vec<WorkerId>>;

    /// Notes that a worker takes nothing new; `false` if that is known, or a newer session is open.
    async fn worker_leaving(&mut self, id: &WorkerId, session: &str) -> Result<bool>;

    /// Notes that a session closed; `false` if that is known, or a newer one is open.
    async fn worker_disconnected(&mut self, id: &WorkerId, session: &str) -> Result<bool>;

    /// All workers, or only this one, by id.
    async fn workers(&mut self, only: Option<&WorkerId>) -> Result<Vec<Worker>>;

    /// The sessions of these workers, as far as there are such workers.
    async fn sessions(&mut self, workers: &[WorkerId]) -> Result<Vec<SessionRow>>;

    /// Drains a worker, or ends that; `false` if there is no such worker.
    async fn set_drained(&mut self, id: &WorkerId, drained: bool) -> Result<bool>;

    /// Locks a worker; `false` if there is none.
    async fn lock_worker(&mut self, id: &WorkerId) -> Result<bool>;

    /// Deletes a worker and its tokens.
    async fn delete_worker(&mut self, id: &WorkerId) -> Result<()>;

    /// Workers not heard for this long that tasks are still with, and those not heard for so long that no tasks are with and that are called connected.
    async fn silent_workers(&mut self, with_tasks: Duration, idle: Duration) -> Result<Vec<WorkerId>>;

    /// When the one of those that tasks are with was last heard that was not heard for the longest time.
    async fn longest_silent_since(&mut self) -> Result<Option<Timestamp>>;
}
