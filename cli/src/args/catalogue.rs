//! `sproutctl catalogue …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// See and read the services that say which templates may be used, and try rules for names (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Catalogue {
    /// Read all catalogues now. Done by hand, also what looks like a mistake of theirs counts: most templates listed no more.
    Sync(Sync),
    /// Show what the last looks at catalogues and providers found: what changed, what cannot be used, and why.
    Status,
    /// Tell what the rules make of names of templates: to which group they belong, of which version and date they are.
    Name(Name),
}

/// How to read catalogues.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Wait until they were read, and show what was found.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time.
    #[arg(long, value_parser = duration::parse, requires = "wait", default_value = "2m")]
    pub(crate) timeout: Duration,
}

/// Names to read.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Names of templates.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}
