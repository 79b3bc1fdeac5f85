//! Users as they are managed, and their tokens.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sprout_domain::{
    Result, TokenId, UserGroupId, UserId,
    token::Token,
    user::{Role, User},
};

use super::Page;

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only members of the user group of this name.
    pub user_group: Option<String>,
    /// Also disabled ones.
    pub with_disabled: bool,
}

/// What of a user changes together. Fields that are `None` stay.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// What the user may do.
    pub role: Option<Role>,
    /// May not sign in.
    pub disabled: Option<bool>,
    /// May override memory and CPUs of appliances.
    pub can_override_hardware: Option<bool>,
    /// The hash of a new password.
    pub password_hash: Option<String>,
}

/// Users, to be looked at and changed.
#[async_trait]
pub trait AccountRows: Send {
    /// A page of users by name; the page before ended with the user of this id.
    async fn users(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>>;

    /// Names of the user groups these users are in, in order; users in none are missing.
    async fn groups_of_users(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Vec<String>>>;

    /// The user of this name with the password's hash, locked until the transaction ends.
    async fn lock_user(&mut self, name: &str) -> Result<Option<(User, String)>>;

    /// The superusers who are not disabled, locked until the transaction ends: they stay what they are so long.
    async fn lock_superusers(&mut self) -> Result<Vec<UserId>>;

    /// Changes a user.
    async fn change_user(&mut self, id: UserId, change: &UserChange) -> Result<()>;

    /// Puts a user into user groups.
    async fn join_user_groups(&mut self, user: UserId, groups: &[UserGroupId]) -> Result<()>;
}

/// Which tokens of a user to delete.
#[derive(Debug, Clone)]
pub enum TokensToDelete {
    /// Those that expired.
    Expired,
    /// All.
    All,
    /// All but the one with this hash.
    AllBut(String),
    /// Those of this name.
    Named(&'static str),
}

/// Tokens of users, to be looked at and ended.
#[async_trait]
pub trait TokenRows: Send {
    /// The tokens of a user that still work, newest first.
    async fn tokens(&mut self, user: UserId) -> Result<Vec<Token>>;

    /// Whose the token of this id is, and its name.
    async fn token_owner(&mut self, id: TokenId) -> Result<Option<(User, String)>>;

    /// Deletes a token.
    async fn delete_token_by_id(&mut self, id: TokenId) -> Result<()>;

    /// Deletes tokens of a user; returns how many.
    async fn delete_tokens(&mut self, user: UserId, which: &TokensToDelete) -> Result<u64>;

    /// Writes down that the token with this hash is used now.
    async fn touch_token(&mut self, hash: &str) -> Result<()>;
}
