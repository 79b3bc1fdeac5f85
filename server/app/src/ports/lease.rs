//! Leases, reminders and holds, as the store keeps them.

use async_trait::async_trait;
use sprout_domain::{ApplianceId, PoolId, Result, Timestamp, UserId, appliance::Appliance, lease::LeaseEnd};

/// Until when an appliance is kept although its lease ends, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// When it ends by itself.
    pub until: Timestamp,
    /// For those who would like its slot.
    pub reason: String,
}

/// Leases of appliances. What is due is found by indexes that hold nothing else, so that it costs the same with however many leases.
#[async_trait]
pub trait LeaseRows: Send {
    /// Sets the leases of the pool's appliances that still count: `leased_at` (if `start`, to now) and their end.
    async fn set_pool_lease(&mut self, pool: PoolId, start: bool, end: LeaseEnd) -> Result<()>;

    /// Sets one appliance's end of the lease.
    async fn set_lease(&mut self, id: ApplianceId, end: LeaseEnd) -> Result<()>;

    /// When there is something to do next: a lease ends, a hold ends, or someone is to be reminded.
    async fn next_lease_due(&mut self) -> Result<Option<Timestamp>>;

    /// Ids of appliances whose lease ended and that nobody holds, the longest ended first, at most `limit`; killed, failed and gone ones are not
    /// among them.
    async fn expired(&mut self, limit: u64) -> Result<Vec<ApplianceId>>;

    /// Ids of appliances whose hold ended, the longest ended first, at most `limit`.
    async fn holds_over(&mut self, limit: u64) -> Result<Vec<ApplianceId>>;

    /// Locks appliances whose holders are to be reminded, the longest due first, at most `limit`; skips those that another transaction has locked.
    async fn take_reminders(&mut self, limit: u64) -> Result<Vec<Appliance>>;

    /// Sets when to remind next, of each its own.
    async fn set_reminders(&mut self, next: &[(ApplianceId, Option<Timestamp>)]) -> Result<()>;

    /// Holds appliances, or no longer.
    async fn set_hold(&mut self, ids: &[ApplianceId], hold: Option<&Hold>) -> Result<()>;

    /// Appliances of this owner's pools that are held.
    async fn held_count(&mut self, owner: UserId) -> Result<u32>;
}
