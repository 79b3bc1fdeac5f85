//! `sproutctl appliance …`, as far as it is about holds, words and the past.

use std::time::Duration;

use clap::Args;

use super::{appliance::Which, duration};

/// An appliance's new description.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    #[command(flatten)]
    pub(crate) which: Which,
    /// What to know of it; "" for nothing.
    pub(crate) description: String,
}

/// An appliance to hold.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Why, for those who would like its slot.
    #[arg(long)]
    pub(crate) reason: String,
    /// How long, from now, such as 4h or 2d; at most 7d.
    #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = duration::parse)]
    pub(crate) time: Duration,
}

/// What happened to an appliance.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) which: Which,
    /// List at most this many, the latest.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}
