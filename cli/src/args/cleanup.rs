//! `sproutctl cleanup …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// See what was left over and goes, and rule what of others' may go (staff, superusers).
#[derive(Debug, Subcommand)]
pub(crate) enum Cleanup {
    /// Show what would be deleted and why, also with a rule that is not made yet. Deletes nothing.
    Plan(Plan),
    /// See and make rules: without one, nothing that does not carry our tag is ever touched.
    #[command(subcommand)]
    Rule(Rule),
}

/// See and make rules: without one, nothing that does not carry our tag is ever touched.
#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// List rules.
    List,
    /// Let machines be deleted although they do not carry our tag. Look at `plan --rule` first (superusers).
    Add(Add),
    /// Remove a rule (superusers).
    Delete(Delete),
}

/// What to plan.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Only on this provider.
    #[arg(long, value_name = "KEY")]
    pub(crate) provider: Option<String>,
    /// As if there were a rule with this pattern, too.
    #[arg(long, value_name = "PATTERN", requires = "older_than")]
    pub(crate) rule: Option<String>,
    /// The age of that rule.
    #[arg(long, value_parser = duration::parse, value_name = "TIME", requires = "rule")]
    pub(crate) older_than: Option<Duration>,
}

/// A rule to make.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Names it is about: a regular expression that matches somewhere in the name, such as '^jenkins-'.
    pub(crate) pattern: String,
    /// Machines that were first seen longer ago than this; 10m or more.
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    pub(crate) older_than: Duration,
    /// Only on this provider.
    #[arg(long, value_name = "KEY")]
    pub(crate) provider: Option<String>,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A rule to remove.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Id of the rule.
    pub(crate) id: u64,
}
