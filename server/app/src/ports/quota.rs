//! What users may have, and what they have.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sprout_domain::{
    Result, UserId,
    quota::{Quota, QuotaUse},
};

/// What a user may have and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaAndUse {
    /// What the user may have.
    pub quota: Quota,
    /// What the user has.
    pub used: QuotaUse,
}

/// Quotas.
#[async_trait]
pub trait QuotaRows: Send {
    /// What these users may have.
    async fn quotas(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Quota>>;

    /// What these users may have and have, in one query; users that do not exist are missing from it.
    async fn quotas_and_use(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, QuotaAndUse>>;

    /// The same, and nobody else gets it so until the transaction ends: what is decided by it holds. Users are locked before tasks, pools and
    /// appliances, always. To be spared those who have no quota that [is counted](Quota::is_counted).
    async fn lock_quotas(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, QuotaAndUse>>;

    /// Replaces a user's quota.
    async fn set_quota(&mut self, user: UserId, quota: &Quota) -> Result<()>;
}
