//! `sproutctl appliance …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// Work on single appliances.
#[derive(Debug, Subcommand)]
pub(crate) enum Appliance {
    /// List appliances, newest first.
    List(List),
    /// Show one appliance.
    Get(Which),
    /// Delete one appliance; its lease is over at once.
    Kill(Kill),
    /// Let an appliance's lease end a given time from now.
    Extend(Extend),
    /// Print an appliance's log, oldest line first.
    Logs(Logs),
}

/// Which appliances to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this pool.
    #[arg(long, value_name = "ID")]
    pub(crate) pool: Option<u64>,
    /// Only those on this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only those of this group.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only warm ones: ready or on their way, owned by no pool.
    #[arg(long)]
    pub(crate) warm: bool,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Names an appliance.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id, name on the provider, or address.
    pub(crate) appliance: String,
}

/// An appliance to end.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A lease to extend.
#[derive(Debug, Args)]
pub(crate) struct Extend {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The lease ends this long from now, such as 90m, 2h or 1d.
    #[arg(value_parser = duration::parse)]
    pub(crate) lease: Duration,
}

/// A log to read.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Stay for new lines until the appliance is gone.
    #[arg(short, long)]
    pub(crate) follow: bool,
}
