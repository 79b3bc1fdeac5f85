//! Workflows that take too long, and pools that nothing is left of, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{ApplianceId, PoolId, ProviderKey, Result, Timestamp, WorkflowId, workflow::Workflow};

/// What is late.
#[async_trait]
pub trait LateRows: Send {
    /// Workflows that are late and have not ended, the latest first, not locked.
    async fn late_workflows(&mut self, limit: u64) -> Result<Vec<Workflow>>;

    /// When the next workflow is late.
    async fn next_late(&mut self) -> Result<Option<Timestamp>>;

    /// Of this workflow nothing more is to be said.
    async fn never_late(&mut self, id: WorkflowId) -> Result<()>;

    /// Makes kills late now that work on other providers than these.
    async fn hurry_kills(&mut self, configured: &[ProviderKey]) -> Result<()>;

    /// Writes that killing an appliance does not get on, from now on unless it was known before, and why.
    async fn set_stuck(&mut self, appliance: ApplianceId, status: &str) -> Result<()>;

    /// Live pools made longer ago than this that wait for nothing and have no appliance.
    async fn empty_pools(&mut self, older: Duration, limit: u64) -> Result<Vec<PoolId>>;
}
