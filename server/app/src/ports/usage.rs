//! Usage, as the store keeps it.

use async_trait::async_trait;
use chrono::NaiveDate;
use sprout_domain::{
    ApplianceId, Result, Timestamp,
    usage::{OpenLease, UsageDay},
};

/// Which usage to read.
#[derive(Debug, Clone)]
pub struct UsageFilter {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Only of this user.
    pub user: Option<String>,
    /// Only of this user group.
    pub user_group: Option<String>,
    /// Only of this group.
    pub group: Option<String>,
    /// Only on this provider.
    pub provider: Option<String>,
}

/// Usage.
#[async_trait]
pub trait UsageRows: Send {
    /// What is not accounted yet of the leases of these appliances, which are locked.
    async fn open_leases(&mut self, ids: &[ApplianceId]) -> Result<Vec<OpenLease>>;

    /// Locks appliances whose leases run and were last accounted before a moment, or never, at most `limit`; skips those another transaction
    /// has locked.
    async fn lock_leases(&mut self, before: Timestamp, limit: u64) -> Result<Vec<ApplianceId>>;

    /// What is not accounted yet of leases that run, of one user or of all.
    async fn running_leases(&mut self, user: Option<&str>) -> Result<Vec<OpenLease>>;

    /// Adds usage, each day and account once, and says that these appliances are accounted until now.
    async fn account(&mut self, usage: &[UsageDay], appliances: &[ApplianceId]) -> Result<()>;

    /// What was accounted, summed by day and account.
    async fn usage(&mut self, filter: &UsageFilter) -> Result<Vec<UsageDay>>;
}
