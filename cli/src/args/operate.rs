//! What is done to an appliance: `sproutctl appliance start`, `stop` and so on.

use std::time::Duration;

use clap::Args;

use super::{appliance::Which, duration};

/// An appliance to do something to.
#[derive(Debug, Args)]
pub(crate) struct Operate {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// How long to wait for it.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Print the workflow that does it, and do not wait for it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Stop waiting after this time; it goes on.
    #[arg(long, value_parser = duration::parse, conflicts_with = "no_wait")]
    pub(crate) timeout: Option<Duration>,
}

/// A name to give.
#[derive(Debug, Args)]
pub(crate) struct Rename {
    #[command(flatten)]
    pub(crate) which: Which,
    /// New name: 1 to 63 letters, digits and -_. , as far as the provider takes it.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// An appliance to deploy anew.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A disk to attach.
#[derive(Debug, Args)]
pub(crate) struct AttachDisk {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Size of the disk in MiB.
    pub(crate) size_mib: u64,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
