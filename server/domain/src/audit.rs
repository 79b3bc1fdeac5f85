//! Audit records: who called what, from where, and how it ended. They outlive what they are about, and therefore hold names only.

use crate::Timestamp;

/// How a call ends that did what it was asked.
pub const DONE: &str = "OK";

/// A record about to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRecord {
    /// Name of the user or worker; empty where nobody was signed in.
    pub user: String,
    /// Name of the token used; empty where there was none.
    pub token: String,
    /// Address the call came from.
    pub peer: String,
    /// The rpc, e.g. `sprout.pool.v1.PoolService/KillPool`.
    pub method: String,
    /// What it was called with, as JSON, without secrets.
    pub request: String,
    /// How it ended: [`DONE`], or the name of the refusal's code.
    pub result: String,
    /// What the refusal said.
    pub message: String,
}

/// A record as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log; rises.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: NewRecord,
}
