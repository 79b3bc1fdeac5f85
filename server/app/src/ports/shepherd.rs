//! Shepherds and what is warm, as the store keeps it.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, ProviderKey, Result, TemplateId, Timestamp, UserGroupId, UserId,
    shepherd::{Part, Shepherd, Stock},
    template::Template,
};

/// Which shepherds to list.
#[derive(Debug, Clone, Default)]
pub struct ShepherdFilter {
    /// Only of this group.
    pub group: Option<GroupName>,
    /// Only for the user group of this name.
    pub user_group: Option<String>,
    /// Only for user groups of this user, and for everyone.
    pub member: Option<UserId>,
}

/// Warm appliances of one template that are kept for the same user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRow {
    /// Their group.
    pub group: GroupName,
    /// The user group; none: for everyone.
    pub user_group_id: Option<UserGroupId>,
    /// They are unconfigured.
    pub unconfigured: bool,
    /// How many, and how they stand.
    pub stock: Stock,
}

/// Which warm appliances to pick, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Of this template.
    pub template: TemplateId,
    /// Kept for this user group; none: for everyone.
    pub user_group_id: Option<UserGroupId>,
    /// In such states.
    pub part: Part,
    /// So many.
    pub count: u32,
}

/// What was asked for lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Preconfigured appliances.
    pub appliances: u64,
    /// Within this time.
    pub within: Duration,
}

/// Shepherds, and the warm appliances that they keep.
#[async_trait]
pub trait ShepherdRows: Send {
    /// The user group of this name.
    async fn user_group_id(&mut self, name: &str) -> Result<Option<UserGroupId>>;

    /// User groups that a user is in, by id.
    async fn user_groups_of(&mut self, user: UserId) -> Result<Vec<UserGroupId>>;

    /// Shepherds, by group and name of the user group, those for everyone first.
    async fn shepherds(&mut self, filter: &ShepherdFilter) -> Result<Vec<Shepherd>>;

    /// Inserts or replaces the shepherd of a group and user group; one that keeps nothing is deleted.
    async fn set_shepherd(&mut self, shepherd: &Shepherd) -> Result<()>;

    /// All that is warm, on its way to be, or warm and being killed; of one group, if one is given.
    async fn stock(&mut self, group: Option<&GroupName>) -> Result<Vec<StockRow>>;

    /// Templates of these groups that can be cloned now, on providers that work and are neither disabled nor hidden.
    async fn clonable_templates(&mut self, groups: &[GroupName]) -> Result<Vec<Template>>;

    /// Which user groups see which providers.
    async fn visibility(&mut self) -> Result<BTreeSet<(ProviderKey, UserGroupId)>>;

    /// Providers that pools wait for: where they could have what they lack, had these room.
    async fn waited_for(&mut self) -> Result<BTreeSet<ProviderKey>>;

    /// Those of these templates a warm appliance of which failed after `since`.
    async fn failed_since(&mut self, templates: &[TemplateId], since: Timestamp) -> Result<BTreeSet<TemplateId>>;

    /// Warm appliances as picked, not locked.
    async fn pick_warm(&mut self, picks: &[Pick]) -> Result<Vec<ApplianceId>>;

    /// What was asked for of a group within at most `within`, by members of the user group if one is given. Looks at the latest few thousand pools only.
    async fn asked_for(
        &mut self,
        group: &GroupName,
        user_group_id: Option<UserGroupId>,
        within: Duration,
    ) -> Result<Asked>;

    /// How long the latest deployments of a group took from being wanted to being ready, at most `limit` of them. Looks at the latest few thousand
    /// appliances only.
    async fn deployment_times(&mut self, group: &GroupName, limit: u64) -> Result<Vec<Duration>>;
}
