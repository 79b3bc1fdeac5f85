//! `sproutctl audit …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// Look up who changed what (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List calls that changed something or were refused, newest first.
    List(List),
}

/// Which calls to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this user or worker.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Only those with this in the name of their method, such as `pool` or `KillPool`.
    #[arg(long, value_name = "TEXT")]
    pub(crate) method: Option<String>,
    /// Only those that were refused or failed.
    #[arg(long)]
    pub(crate) refused: bool,
    /// Only those not longer ago than this, such as 2h or 30d.
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    pub(crate) since: Option<Duration>,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}
