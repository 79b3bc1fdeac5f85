//! `sproutctl appliance …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    duration, hold, id,
    operate::{AttachDisk, Operate, Rename, Reset},
};

/// Work on single appliances.
#[derive(Debug, Subcommand)]
pub(crate) enum Appliance {
    /// List appliances, newest first.
    List(List),
    /// Show one appliance.
    Get(Which),
    /// Delete one appliance; its lease is over at once.
    Kill(Kill),
    /// Give up the record of an appliance that cannot be deleted, because its provider is not configured any more (superusers).
    Forget(Kill),
    /// Let an appliance's lease end a given time from now, or never.
    Extend(Extend),
    /// Keep an appliance, for debugging, although its lease ends.
    Hold(hold::Hold),
    /// Hold an appliance no longer; if its lease has ended meanwhile, it is deleted.
    Unhold(Which),
    /// Set an appliance's description.
    Describe(hold::Describe),
    /// Follow one appliance until it is gone.
    Watch(Which),
    /// Print what happened to an appliance, latest first.
    Events(hold::Events),
    /// Print an appliance's log, oldest line first.
    Logs(Logs),
    /// Power it on, and wait until it proves ready again.
    Start(Operate),
    /// Power it off.
    Stop(Operate),
    /// Freeze it, keeping its memory.
    Suspend(Operate),
    /// Continue a suspended one, and wait until it proves ready again.
    Resume(Operate),
    /// Restart it, and wait until it proves ready again.
    Reboot(Operate),
    /// Give it another name, also on the provider.
    Rename(Rename),
    /// Delete it and deploy it anew from its template, under the same id and name and in the same pool.
    Reset(Reset),
    /// Attach an empty disk; one at a time.
    AttachDisk(AttachDisk),
    /// Detach its disk, and delete that.
    DetachDisk(Operate),
    /// Print where its screen can be seen.
    Console(Which),
}

/// Which appliances to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this pool.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
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
    /// Only those of pools of this user (staff).
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Only those held although their lease ended.
    #[arg(long)]
    pub(crate) expired_and_held: bool,
    /// Only those that could not be deleted for long; their status says why.
    #[arg(long)]
    pub(crate) stuck: bool,
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
    #[arg(value_parser = duration::parse, required_unless_present = "never", conflicts_with = "never")]
    pub(crate) lease: Option<Duration>,
    /// It never ends (superusers).
    #[arg(long)]
    pub(crate) never: bool,
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
