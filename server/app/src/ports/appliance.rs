//! Appliances, as the store keeps them, and how warm ones are taken and granted.

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserGroupId, UserId,
    appliance::{Appliance, ApplianceState, PowerState},
    group::Endpoint,
    lease::LeaseEnd,
    template::Template,
};

use super::Page;

/// An appliance to insert, in state requested.
#[derive(Debug, Clone)]
pub struct NewAppliance {
    /// As in [`Appliance`].
    pub name: String,
    /// Template (its provider, group, name, version and date are copied).
    pub template: Template,
    /// As in [`Appliance`].
    pub pool_id: Option<PoolId>,
    /// As in [`Appliance`].
    pub memory_mib: Option<u32>,
    /// As in [`Appliance`].
    pub cpus: Option<u32>,
    /// As in [`Appliance`].
    pub user_group_id: Option<UserGroupId>,
    /// As in [`Appliance`].
    pub prepares: Option<TemplateId>,
}

/// What of an appliance changes together. Fields that are `None` stay.
#[derive(Debug, Clone, Default)]
pub struct ApplianceChange {
    /// New state. On ready `ready_at` is set (once) and `proven_at`; on failed `failed_at`; on gone `gone_at`; all to the transaction's now.
    pub state: Option<ApplianceState>,
    /// Observed power.
    pub power: Option<PowerState>,
    /// Address.
    pub address: Option<String>,
    /// Endpoints; replace all there are.
    pub endpoints: Option<Vec<Endpoint>>,
    /// The provider's id.
    pub provider_ref: Option<String>,
    /// A clone is, or is no longer, of unknown outcome.
    pub clone_unconfirmed: Option<bool>,
    /// Status line; `status_changed_at` becomes now.
    pub status: Option<String>,
    /// Where its screen can be seen.
    pub console_url: Option<String>,
}

/// Which appliances to list.
#[derive(Debug, Clone, Default)]
pub struct ApplianceFilter {
    /// Only of pools of this owner. (Warm ones belong to nobody.)
    pub owner_id: Option<UserId>,
    /// Only of this pool.
    pub pool_id: Option<PoolId>,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
    /// Only of this group.
    pub group: Option<GroupName>,
    /// Only in one of these states; empty: in any but gone.
    pub states: Vec<ApplianceState>,
    /// Only those of no pool.
    pub warm: bool,
    /// Only of pools of the owner of this name.
    pub owner: Option<String>,
    /// Only those held although their lease ended.
    pub expired_and_held: bool,
    /// Only those of which it is told that killing them does not get on.
    pub stuck: bool,
}

/// Which warm appliances to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeWarm {
    /// Of these templates.
    pub templates: Vec<TemplateId>,
    /// The user groups of who gets them.
    pub user_groups: Vec<UserGroupId>,
    /// At most this many.
    pub count: u64,
    /// None while a pool waits for appliances of the same kind: they are that one's.
    pub behind: bool,
    /// Those that proved ready later than this need not prove it again.
    pub proven_since: Timestamp,
}

/// A warm appliance that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warm {
    /// The appliance.
    pub id: ApplianceId,
    /// It proved ready lately; else it has to prove it again.
    pub proven: bool,
}

/// A warm appliance becomes a pool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The appliance.
    pub appliance: ApplianceId,
    /// It proved ready lately; else it proves it again before its pool counts it.
    pub proven: bool,
    /// The pool.
    pub pool: PoolId,
    /// End of its lease, which starts now; none: the pool is not fulfilled yet.
    pub lease: Option<LeaseEnd>,
}

/// How to name an appliance.
#[derive(Debug, Clone)]
pub enum ApplianceBy {
    /// By id.
    Id(ApplianceId),
    /// By name on the provider.
    Name(String),
    /// By address; gone ones are not found this way.
    Address(String),
}

/// Appliances.
#[async_trait]
pub trait ApplianceRows: Send {
    /// Inserts appliances in state requested, with the room that they take of their provider; returns them in the same order.
    async fn insert_appliances(&mut self, appliances: Vec<NewAppliance>) -> Result<Vec<Appliance>>;

    /// One appliance, with endpoints.
    async fn appliance(&mut self, by: &ApplianceBy) -> Result<Option<Appliance>>;

    /// Appliances by id with endpoints, in order of id.
    async fn appliances_by_id(&mut self, ids: &[ApplianceId]) -> Result<Vec<Appliance>>;

    /// Appliances by id with endpoints, locked until the transaction ends, in order of id.
    async fn lock_appliances(&mut self, ids: &[ApplianceId]) -> Result<Vec<Appliance>>;

    /// A page of appliances with endpoints, newest first.
    async fn appliances(&mut self, filter: &ApplianceFilter, page: Page) -> Result<Vec<Appliance>>;

    /// The appliances, gone ones too only on request, of several pools, with endpoints, oldest first.
    async fn appliances_of_pools(&mut self, pools: &[PoolId], with_gone: bool) -> Result<Vec<Appliance>>;

    /// Locks warm appliances until the transaction ends: first those kept for the user groups, then those for everyone, then those for others; of
    /// each those that proved ready since then first, and of them the longest ago. Only ready and unowned ones, without memory or CPU overrides;
    /// skips those another transaction has locked.
    async fn take_warm(&mut self, take: &TakeWarm) -> Result<Vec<Warm>>;

    /// Binds ready, unowned appliances to pools by one conditional update; returns those bound, in order of id.
    async fn grant(&mut self, grants: &[Grant]) -> Result<Vec<Appliance>>;

    /// Changes appliances alike.
    async fn change_appliances(&mut self, ids: &[ApplianceId], change: &ApplianceChange) -> Result<()>;

    /// Sets status lines, each its own, in one statement; appliances being killed or gone keep theirs.
    async fn set_statuses(&mut self, statuses: &[(ApplianceId, String)]) -> Result<()>;
}
