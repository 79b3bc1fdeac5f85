//! Users as they are shown.

use serde::Serialize;
use sprout_client::proto::user::{Role, User};

use super::{Card, facts, lower, some, time};

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserView {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) role: String,
    created_at: Option<String>,
}

impl From<User> for UserView {
    fn from(u: User) -> Self {
        let role = lower(u.role, Role::as_str_name, "ROLE_");
        Self { id: u.id, name: u.name, role, created_at: time::rfc3339(u.created_at) }
    }
}

impl Card for UserView {
    fn text(&self) -> String {
        facts(&[
            ("user", Some(self.name.clone())),
            ("role", Some(self.role.clone())),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
        ])
    }
}

/// Who the caller is, where.
#[derive(Debug, Serialize)]
pub(crate) struct SessionView {
    pub(crate) server: String,
    pub(crate) server_version: Option<String>,
    pub(crate) user: Option<UserView>,
    pub(crate) expires_at: Option<String>,
}

impl Card for SessionView {
    fn text(&self) -> String {
        let user = self.user.as_ref();
        facts(&[
            ("user", user.map(|user| format!("{} ({})", user.name, user.role))),
            ("signed in until", time::relative_and_exact(self.expires_at.as_ref())),
            ("server", Some(self.server.clone())),
            ("server version", self.server_version.clone().and_then(some)),
        ])
    }
}
