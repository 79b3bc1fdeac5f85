//! Pools that wait, as the store keeps them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserId,
    pool::Pool,
    template::{BuildDate, Template},
    version::Version,
};

/// A pool that waits, with what decides its place in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPool {
    /// The pool.
    pub pool: Pool,
    /// Share of its owner.
    pub weight: u32,
}

/// What the appliances of a pool have in common: templates of other kinds never serve it.
pub type Kind = (GroupName, Version, BuildDate);

/// A warm appliance on a provider that is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// The appliance.
    pub id: ApplianceId,
    /// Where it is.
    pub provider: ProviderKey,
    /// What it was cloned from.
    pub template: TemplateId,
}

/// An appliance on its way, of a pool that could have a warm one instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// The appliance.
    pub id: ApplianceId,
    /// Its pool.
    pub pool: PoolId,
}

/// The queue.
#[async_trait]
pub trait QueueRows: Send {
    /// Takes a turn if nobody has it, as [`super::LeadershipRows::take_turn`] does; never waits. On SQLite a writer is alone anyway.
    async fn try_turn(&mut self, name: &str) -> Result<bool>;

    /// Whether anybody waits at all.
    async fn somebody_waits(&mut self) -> Result<bool>;

    /// Whether somebody waits for whom one of these providers has a template: whoever comes later is not to overtake them.
    async fn somebody_waits_for(&mut self, providers: &[ProviderKey]) -> Result<bool>;

    /// All pools that wait, in order of id.
    async fn waiting_pools(&mut self) -> Result<Vec<WaitingPool>>;

    /// Appliances that are wanted or on their way, per owner of their pool.
    async fn under_way(&mut self) -> Result<BTreeMap<UserId, u32>>;

    /// The templates of these kinds that appliances can be cloned from, wherever they are.
    async fn templates_of(&mut self, kinds: &[Kind]) -> Result<Vec<Template>>;

    /// Warm appliances per template that can be granted; templates without any are missing.
    async fn grantable(&mut self, templates: &[TemplateId]) -> Result<BTreeMap<TemplateId, u32>>;

    /// Adds to what pools (locked) wait for, each its own number.
    async fn add_waiting(&mut self, changes: &[(PoolId, i64)]) -> Result<()>;

    /// Notes where a deployment of the pool failed.
    async fn avoid(&mut self, pool: PoolId, provider: &ProviderKey) -> Result<()>;

    /// Keeps a pool until then.
    async fn keep_until(&mut self, pool: PoolId, until: Timestamp) -> Result<()>;

    /// Pools that are not fulfilled although their time is over, or whose client said nothing for too long; at most `limit`.
    async fn overdue_pools(&mut self, limit: u64) -> Result<Vec<PoolId>>;

    /// When the time of the next of those is over.
    async fn next_overdue(&mut self) -> Result<Option<Timestamp>>;

    /// Warm appliances on these providers that could make room, the longest ready first, and how many are being killed there.
    async fn spares(&mut self, providers: &[ProviderKey]) -> Result<(Vec<Spare>, BTreeMap<ProviderKey, u32>)>;

    /// Appliances without overrides, requested or being cloned for pools that wait for nothing else, of kinds of which something is warm. At most `limit`.
    async fn swappable(&mut self, limit: u64) -> Result<Vec<Unfinished>>;

    /// Appliances that pools wait for, of which nothing was asked of their provider yet and for now nothing will be: its circuit is open, or it is none
    /// of these that are configured. Only those that another one of these could have, which works. At most `limit`.
    async fn stranded(&mut self, configured: &[ProviderKey], limit: u64) -> Result<Vec<Unfinished>>;

    /// Takes these from their pools, and their deployments from their owners: they are on their way to be warm.
    async fn release(&mut self, appliances: &[ApplianceId]) -> Result<()>;

    /// When the next lease on each of these providers ends.
    async fn next_lease_ends(&mut self, providers: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Timestamp>>;
}
