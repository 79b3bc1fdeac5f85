//! Pools, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{
    GroupName, PoolId, ProviderKey, Result, Timestamp, UserId,
    pool::{Pool, PoolState, Priority},
    template::{BuildDate, TemplateType},
    user::User,
    version::Version,
};

use super::Page;

/// A pool to insert; the rest of [`Pool`] starts empty.
#[derive(Debug, Clone)]
pub struct NewPool {
    /// As in [`Pool`].
    pub request_id: String,
    /// As in [`Pool`].
    pub fingerprint: String,
    /// As in [`Pool`].
    pub owner: User,
    /// As in [`Pool`].
    pub group: GroupName,
    /// As in [`Pool`].
    pub version: Version,
    /// As in [`Pool`].
    pub date: BuildDate,
    /// As in [`Pool`].
    pub provider: Option<ProviderKey>,
    /// As in [`Pool`].
    pub count: u32,
    /// As in [`Pool`].
    pub lease: Duration,
    /// As in [`Pool`].
    pub description: String,
    /// As in [`Pool`].
    pub memory_mib: Option<u32>,
    /// As in [`Pool`].
    pub cpus: Option<u32>,
    /// As in [`Pool`].
    pub provider_type: Option<String>,
    /// As in [`Pool`].
    pub template_type: Option<TemplateType>,
    /// As in [`Pool`].
    pub unconfigured: bool,
    /// As in [`Pool`].
    pub update: bool,
    /// As in [`Pool`].
    pub priority: Priority,
    /// As in [`Pool`].
    pub waiting_count: u32,
    /// As in [`Pool`].
    pub keep_alive: Option<Duration>,
    /// As in [`Pool`].
    pub alive_until: Option<Timestamp>,
    /// As in [`Pool`].
    pub wait_until: Option<Timestamp>,
    /// Its first state. Ready sets `fulfilled_at`, ended `ended_at`, to the transaction's now.
    pub state: PoolState,
}

impl NewPool {
    /// Without memory and CPU overrides, and as the template is: warm appliances, which are so, will do.
    pub(crate) fn is_plain(&self) -> bool {
        self.memory_mib.is_none() && self.cpus.is_none() && !self.update
    }
}

/// What of a pool changes together.
#[derive(Debug, Clone, Default)]
pub struct PoolChange {
    /// New state. `fulfilled_at` is set on ready (once), `ended_at` on ended and failed, to the transaction's now.
    pub state: Option<PoolState>,
    /// New status line.
    pub status: Option<String>,
    /// Adds to the failed deployments.
    pub add_failures: u32,
    /// It waits for nothing any more.
    pub stop_waiting: bool,
}

/// Which pools to list.
#[derive(Debug, Clone, Default)]
pub struct PoolFilter {
    /// Only of this owner.
    pub owner_id: Option<UserId>,
    /// Only of the owner of this name.
    pub owner: Option<String>,
    /// Only in one of these states; empty: in any.
    pub states: Vec<PoolState>,
    /// Only with exactly this description.
    pub description: Option<String>,
    /// Only with this text in the description, whatever the case.
    pub description_part: Option<String>,
    /// Only of this group.
    pub group: Option<GroupName>,
}

/// Pools.
#[async_trait]
pub trait PoolRows: Send {
    /// Inserts pools; returns them in the same order. [`sprout_domain::Reason::RequestIdReused`] if its requester has one of the same request id already
    /// (two identical requests raced on two servers): the caller starts over and finds it.
    async fn insert_pools(&mut self, pools: Vec<NewPool>) -> Result<Vec<Pool>>;

    /// The pools that these users requested by these request ids, as far as there are any; whoever has them now.
    async fn pools_by_request(&mut self, requests: &[(UserId, String)]) -> Result<Vec<Pool>>;

    /// One pool.
    async fn pool(&mut self, id: PoolId) -> Result<Option<Pool>>;

    /// These pools, not locked, in order of id.
    async fn pools_by_id(&mut self, ids: &[PoolId]) -> Result<Vec<Pool>>;

    /// One pool, locked until the transaction ends, so that nobody else decides on it meanwhile. Locked before its appliances, always.
    async fn lock_pool(&mut self, id: PoolId) -> Result<Option<Pool>>;

    /// Several pools, locked, in order of id.
    async fn lock_pools(&mut self, ids: &[PoolId]) -> Result<Vec<Pool>>;

    /// A page of pools, newest first.
    async fn pools(&mut self, filter: &PoolFilter, page: Page) -> Result<Vec<Pool>>;

    /// Changes pools alike.
    async fn change_pools(&mut self, ids: &[PoolId], change: &PoolChange) -> Result<()>;
}
