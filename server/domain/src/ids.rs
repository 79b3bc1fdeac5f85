//! One type per identity, so that they cannot be mixed up. Numbers are given by the database and never used twice.

use std::fmt;

macro_rules! number_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0.unsigned_abs() // the database gives positive numbers only
            }
        }
    )* };
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )* };
}

number_ids! {
    /// A pool.
    PoolId,
    /// An appliance.
    ApplianceId,
    /// A template.
    TemplateId,
    /// A user.
    UserId,
    /// A user group.
    UserGroupId,
    /// A token.
    TokenId,
    /// A workflow.
    WorkflowId,
    /// A task.
    TaskId,
}

text_ids! {
    /// A provider: its key in `cfme_data.yaml`.
    ProviderKey,
    /// A group: its name in `sprout.yaml`.
    GroupName,
    /// A worker: chosen by itself.
    WorkerId,
}
