//! `sproutctl usage`

use clap::{Args, ValueEnum};

/// What usage to sum, and how.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// One sum for each of these, and each combination of several [default: one sum of all].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) by: Vec<Dimension>,
    /// First day, UTC, such as 2026-01-31 [default: 30 days ago].
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
    /// Last day, UTC [default: today].
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<String>,
    /// Only of this user (of others: staff).
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Only through this user group.
    #[arg(long, value_name = "NAME")]
    pub(crate) user_group: Option<String>,
    /// Only of this group.
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Only on this provider.
    #[arg(long, value_name = "KEY")]
    pub(crate) provider: Option<String>,
}

/// What sums are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Dimension {
    Day,
    User,
    UserGroup,
    Group,
    Provider,
}
