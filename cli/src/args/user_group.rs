//! `sproutctl user-group …`

use clap::{Args, Subcommand};

/// See and manage user groups: who may see and use which providers.
#[derive(Debug, Subcommand)]
pub(crate) enum UserGroup {
    /// List the user groups you are in; for staff, all.
    List,
    /// Show one user group.
    Get(Which),
    /// Create a user group (superusers).
    Create(Parts),
    /// Add users and providers to a user group (superusers).
    Add(Parts),
    /// Remove users and providers from a user group (superusers).
    Remove(Parts),
    /// Delete a user group: its members lose the providers they saw through it alone (superusers).
    Delete(Delete),
}

/// Names a user group.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of the user group.
    pub(crate) name: String,
}

/// A user group, and what of it.
#[derive(Debug, Args)]
pub(crate) struct Parts {
    /// Name of the user group.
    pub(crate) name: String,
    /// A user; may be given again.
    #[arg(long = "user", value_name = "NAME")]
    pub(crate) users: Vec<String>,
    /// Key of a provider; may be given again.
    #[arg(long = "provider", value_name = "KEY")]
    pub(crate) providers: Vec<String>,
}

/// A user group to delete.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Name of the user group.
    pub(crate) name: String,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}
