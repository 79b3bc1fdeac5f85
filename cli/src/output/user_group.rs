//! User groups as they are shown.

use serde::Serialize;
use sprout_client::proto::user::UserGroup;

use super::{Card, Row, facts, some, time};

/// A user group.
#[derive(Debug, Serialize)]
pub(crate) struct UserGroupView {
    name: String,
    members: Vec<String>,
    providers: Vec<String>,
    created_at: Option<String>,
}

impl From<UserGroup> for UserGroupView {
    fn from(group: UserGroup) -> Self {
        let UserGroup { name, members, providers, created_at } = group;
        Self { name, members, providers, created_at: time::rfc3339(created_at) }
    }
}

impl Row for UserGroupView {
    const PLURAL: &'static str = "user groups";
    const COLUMNS: &'static [&'static str] = &["NAME", "MEMBERS", "PROVIDERS"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.members.join(" "), self.providers.join(" ")]
    }
}

impl Card for UserGroupView {
    fn text(&self) -> String {
        facts(&[
            ("user group", Some(self.name.clone())),
            ("members", some(self.members.join(" "))),
            ("providers", some(self.providers.join(" "))),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
        ])
    }
}
