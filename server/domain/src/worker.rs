//! Workers as the database knows them.

use crate::{Timestamp, WorkerId};

/// A node that runs tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// Version of its program.
    pub version: String,
    /// A session of it is open.
    pub connected: bool,
    /// Steps it may run at once.
    pub slots: u32,
    /// Steps it runs now.
    pub running_count: u32,
    /// Driver types it serves.
    pub drivers: Vec<String>,
    /// When it was last heard.
    pub last_heard_at: Timestamp,
}
