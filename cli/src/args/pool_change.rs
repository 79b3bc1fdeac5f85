//! `sproutctl pool …`, as far as it changes what pools are, or looks for them.

use std::time::Duration;

use clap::Args;

use super::{duration, id};

/// A pool's new description.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// What it is for; "" for nothing.
    pub(crate) description: String,
}

/// Pools to look for.
#[derive(Debug, Args)]
pub(crate) struct Find {
    /// Text in the description, whatever the case.
    pub(crate) text: String,
    /// The whole description, as it is written.
    #[arg(long)]
    pub(crate) exact: bool,
    /// Only pools of this user (staff).
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// A pool to request again.
#[derive(Debug, Args)]
pub(crate) struct Clone {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Appliances wanted [default: as many as the pool wanted].
    #[arg(short = 'n', long)]
    pub(crate) count: Option<u32>,
    /// How long the appliances are yours from the moment all are ready [default: as long as the pool's].
    #[arg(long, value_parser = duration::parse)]
    pub(crate) lease: Option<Duration>,
    /// Unique id of the request: the same id returns the same pool, for good [default: a new one].
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// Wait until all appliances are ready.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; the pool stays.
    #[arg(long, value_parser = duration::parse, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

/// Two pools that become one.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Id of the pool that gets all appliances.
    #[arg(value_parser = id::parse)]
    pub(crate) target: u64,
    /// Id of the pool that ends.
    #[arg(value_parser = id::parse)]
    pub(crate) source: u64,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A pool to give away.
#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Name of the new owner.
    pub(crate) owner: String,
}

/// Whose pools to end.
#[derive(Debug, Args)]
pub(crate) struct KillAll {
    /// All pools of this user (staff) [default: yours].
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What happened to a pool.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// List at most this many, the latest.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}
