//! Audit records, as the store keeps them.

use async_trait::async_trait;
use sprout_domain::{
    Result, Timestamp,
    audit::{NewRecord, Record},
};

use super::Page;

/// Which audit records to list.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Only of the user or worker of this name.
    pub user: Option<String>,
    /// Only of methods with this in their name, whatever the case.
    pub method: Option<String>,
    /// Only refused ones.
    pub refused: bool,
    /// Only from this time on.
    pub since: Option<Timestamp>,
}

/// Audit records.
#[async_trait]
pub trait AuditRows: Send {
    /// Appends records, all in one statement.
    async fn append_records(&mut self, records: Vec<NewRecord>) -> Result<()>;

    /// A page of records, newest first.
    async fn records(&mut self, filter: &RecordFilter, page: Page) -> Result<Vec<Record>>;

    /// Deletes the oldest records written before a moment, at most `limit`; returns how many.
    async fn prune_records(&mut self, before: Timestamp, limit: u64) -> Result<u64>;
}
