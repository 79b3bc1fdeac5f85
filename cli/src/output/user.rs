//! Users and quotas as they are shown.

use serde::Serialize;
use sprout_client::proto::user::{GetUserResponse, Quota, QuotaUse, Role, User};

use super::{Card, Row, facts, lower, some, time, token::TokenView};

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserView {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) role: String,
    created_at: Option<String>,
    disabled: bool,
    can_override_hardware: bool,
    user_groups: Vec<String>,
}

impl From<User> for UserView {
    fn from(u: User) -> Self {
        let role = lower(u.role, Role::as_str_name, "ROLE_");
        let created_at = time::rfc3339(u.created_at);
        let User { id, name, disabled, can_override_hardware, user_groups, .. } = u;
        Self { id, name, role, created_at, disabled, can_override_hardware, user_groups }
    }
}

impl UserView {
    /// What to do about a user who sees no provider.
    pub(crate) fn sees_nothing(&self) -> Option<String> {
        let name = &self.name;
        let blind = self.user_groups.is_empty() && matches!(self.role.as_str(), "user" | "bot");
        blind.then(|| {
            format!("{name} is in no user group and sees no provider: `sproutctl user-group add GROUP --user {name}`")
        })
    }

    fn facts(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("user", Some(self.name.clone())),
            ("role", Some(self.role.clone())),
            ("disabled", self.disabled.then(|| "yes: may not sign in".to_owned())),
            ("may override", self.can_override_hardware.then(|| "memory and CPUs".to_owned())),
            ("user groups", some(self.user_groups.join(" "))),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
        ]
    }
}

impl Row for UserView {
    const PLURAL: &'static str = "users";
    const COLUMNS: &'static [&'static str] = &["NAME", "ROLE", "USER GROUPS", "DISABLED", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.role.clone(),
            self.user_groups.join(" "),
            if self.disabled { "yes" } else { "" }.to_owned(),
            time::relative(self.created_at.as_ref()).unwrap_or_default(),
        ]
    }
}

impl Card for UserView {
    fn text(&self) -> String {
        facts(&self.facts())
    }
}

/// What a user may have, and has.
#[derive(Debug, Serialize)]
pub(crate) struct QuotaView {
    user: String,
    appliances_per_pool: Option<u32>,
    pools: Option<u32>,
    appliances: Option<u32>,
    weight: u32,
    used_pools: u32,
    used_appliances: u32,
}

impl QuotaView {
    pub(crate) fn new(owner: String, quota: Option<Quota>, used: Option<QuotaUse>) -> Self {
        let Quota { appliances_per_pool, pools, appliances, weight } = quota.unwrap_or_default();
        let QuotaUse { pools: used_pools, appliances: used_appliances } = used.unwrap_or_default();
        let weight = weight.unwrap_or(1);
        Self { user: owner, appliances_per_pool, pools, appliances, weight, used_pools, used_appliances }
    }

    fn facts(&self) -> Vec<(&'static str, Option<String>)> {
        let limit = |limit: Option<u32>| limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        vec![
            ("pools", Some(format!("{} of {}", self.used_pools, limit(self.pools)))),
            ("appliances", Some(format!("{} of {}", self.used_appliances, limit(self.appliances)))),
            ("appliances per pool", Some(limit(self.appliances_per_pool))),
            ("weight", Some(self.weight.to_string())),
        ]
    }
}

impl Card for QuotaView {
    fn text(&self) -> String {
        let mut all = vec![("quota of", Some(self.user.clone()))];
        all.extend(self.facts());
        facts(&all)
    }
}

/// A user with quota and use.
#[derive(Debug, Serialize)]
pub(crate) struct UserWithQuota {
    #[serde(flatten)]
    user: UserView,
    quota: QuotaView,
}

impl UserWithQuota {
    pub(crate) fn read(answer: GetUserResponse) -> Option<Self> {
        let user = UserView::from(answer.user?);
        let quota = QuotaView::new(user.name.clone(), answer.quota, answer.r#use);
        Some(Self { user, quota })
    }
}

impl Card for UserWithQuota {
    fn text(&self) -> String {
        let mut all = self.user.facts();
        all.extend(self.quota.facts());
        facts(&all)
    }
}

/// Who the caller is, where.
#[derive(Debug, Serialize)]
pub(crate) struct SessionView {
    pub(crate) server: String,
    pub(crate) server_version: Option<String>,
    pub(crate) user: Option<UserView>,
    pub(crate) expires_at: Option<String>,
    /// Not known of a session that has just begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<TokenView>,
}

impl Card for SessionView {
    fn text(&self) -> String {
        let user = self.user.as_ref();
        facts(&[
            ("user", user.map(|user| format!("{} ({})", user.name, user.role))),
            ("user groups", user.and_then(|user| some(user.user_groups.join(" ")))),
            ("token", self.token.as_ref().map(|token| format!("{}, for {}", token.name, token.scope))),
            ("signed in until", time::relative_and_exact(self.expires_at.as_ref())),
            ("server", Some(self.server.clone())),
            ("server version", self.server_version.clone().and_then(some)),
        ])
    }
}
