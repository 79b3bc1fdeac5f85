//! User groups, and what their members see.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sprout_domain::{ProviderKey, Result, UserGroupId, UserId, event::Audience, user::Role, user_group::UserGroup};

/// What decides what a user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The user's role.
    pub role: Role,
    /// The user's groups.
    pub user_groups: BTreeSet<UserGroupId>,
    /// Providers of the user's groups, without those that are hidden.
    pub providers: BTreeSet<ProviderKey>,
}

impl Sight {
    /// Whom the user belongs to of those that events are for.
    pub(crate) fn audiences(&self) -> BTreeSet<Audience> {
        let providers = self.providers.iter().cloned().map(Audience::Provider);
        let groups = self.user_groups.iter().copied().map(Audience::UserGroup);
        providers.chain(groups).chain([Audience::Everyone]).collect()
    }
}

/// What to add to a user group, and what to take away. What is there, or is not, already does no harm.
#[derive(Debug, Clone, Default)]
pub struct UserGroupChange {
    /// Users to add.
    pub add_members: Vec<UserId>,
    /// Users to remove.
    pub remove_members: Vec<UserId>,
    /// Providers to add.
    pub add_providers: Vec<ProviderKey>,
    /// Providers to remove.
    pub remove_providers: Vec<ProviderKey>,
}

/// User groups.
#[async_trait]
pub trait UserGroupRows: Send {
    /// What decides what these users see, in one query; users that do not exist are missing from it.
    async fn sights(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Sight>>;

    /// User groups by name, with members and providers: those this user is in, or all.
    async fn user_groups(&mut self, of: Option<UserId>) -> Result<Vec<UserGroup>>;

    /// Names of the user groups, in order, that have each provider.
    async fn groups_of_providers(&mut self) -> Result<BTreeMap<ProviderKey, Vec<String>>>;

    /// The user groups of these names, as far as there are any, locked until the transaction ends.
    async fn lock_user_groups(&mut self, names: &[String]) -> Result<BTreeMap<String, UserGroupId>>;

    /// Inserts a user group; [`sprout_domain::Reason::UserGroupExists`] if the name is in use.
    async fn insert_user_group(&mut self, name: &str) -> Result<UserGroupId>;

    /// Adds and removes members and providers.
    async fn change_user_group(&mut self, id: UserGroupId, change: &UserGroupChange) -> Result<()>;

    /// Deletes a user group, with what was to be kept warm for it.
    async fn delete_user_group(&mut self, id: UserGroupId) -> Result<()>;

    /// Ids of the users of these names, as far as there are any.
    async fn users_named(&mut self, names: &[String]) -> Result<BTreeMap<String, UserId>>;
}
