//! `sproutctl pool …`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{duration, id, pool_change};

/// Request pools of appliances, and work on them.
#[derive(Debug, Subcommand)]
pub(crate) enum Pool {
    /// Request a number of alike appliances.
    ///
    /// Warm appliances are granted at once, the rest is deployed. Ctrl-C during --wait leaves the pool as it is.
    Request(Box<Wanted>),
    /// List pools, newest first.
    List(List),
    /// Show one pool with its appliances.
    Get(Which),
    /// Follow one pool until it ended.
    Watch(Which),
    /// Say why a pool waits: its place in line, when it is likely to be ready, and what stands in the way.
    Why(Which),
    /// Find pools by their descriptions.
    Find(pool_change::Find),
    /// Print what happened to a pool and its appliances, latest first.
    Events(pool_change::Events),
    /// Let a pool's leases end a given time from now, or never.
    Extend(Extend),
    /// Set a pool's description.
    Describe(pool_change::Describe),
    /// Request another pool of the same kind: same group, version, date and filters.
    Clone(pool_change::Clone),
    /// Move all appliances of a pool into another one that is alike.
    Merge(pool_change::Merge),
    /// Give a pool to another user.
    Transfer(pool_change::Transfer),
    /// End a pool and kill its appliances; what was not ready yet may become warm ones.
    Kill(Kill),
    /// End all your pools, or, for staff, all of a user's.
    KillAll(pool_change::KillAll),
}

/// What is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Drop the request if this command dies while it waits: after this time, 10s to 1h.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "wait")]
    pub(crate) keep_alive: Option<Duration>,
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

/// Which appliances.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "`version` alone is the flag of clap itself")]
pub(crate) struct Filters {
    /// Group to take templates from.
    #[arg(required_unless_present = "group_flag", conflicts_with = "group_flag")]
    pub(crate) group: Option<String>,
    /// Group to take templates from, as a flag.
    #[arg(short, long = "group", value_name = "GROUP")]
    pub(crate) group_flag: Option<String>,
    /// Appliances wanted.
    #[arg(short = 'n', long, default_value_t = 1)]
    pub(crate) count: u32,
    /// Only this version [default: the newest].
    #[arg(long = "version", value_name = "VERSION")]
    pub(crate) wanted_version: Option<String>,
    /// Only this build date, YYYY-MM-DD [default: the newest of the version].
    #[arg(long)]
    pub(crate) date: Option<String>,
    /// Only this provider [default: any].
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// How long the appliances are yours from the moment all are ready, such as 90m, 2h or 1d [default: the group's].
    #[arg(long, value_parser = duration::parse)]
    pub(crate) lease: Option<Duration>,
    /// What it is for.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) description: String,
    /// Only providers of this type, such as libvirt or container [default: any].
    #[arg(long, value_name = "TYPE")]
    pub(crate) provider_type: Option<String>,
    /// Only templates of this type [default: any].
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) template_type: Option<TemplateType>,
    /// Of unconfigured templates instead of preconfigured ones.
    #[arg(long)]
    pub(crate) unconfigured: bool,
    /// Bring each appliance up to date before it is ready, as its group says; none is warm then.
    #[arg(long)]
    pub(crate) update: bool,
    /// Who goes first where requests wait [default: batch for bots, else interactive].
    #[arg(long, value_enum)]
    pub(crate) priority: Option<Priority>,
    /// Fail if not all appliances are ready after this time, at most 7d [default: 1h].
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) wait_limit: Option<Duration>,
    /// Memory of each appliance, in MiB, instead of the default. Needs the permission.
    #[arg(long, alias = "memory-mib", value_name = "MIB")]
    pub(crate) memory: Option<u32>,
    /// CPUs of each appliance instead of the default. Needs the permission.
    #[arg(long)]
    pub(crate) cpus: Option<u32>,
}

/// What is cloned from a template.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum TemplateType {
    VirtualMachine,
    Container,
    DockerVm,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Priority {
    /// Somebody waits in front of a screen.
    Interactive,
    /// After those; what waited for a quarter of an hour goes as if interactive.
    Batch,
}

/// Which pools to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only pools in this state; may be repeated [default: all but ended and failed].
    #[arg(long, value_enum)]
    pub(crate) state: Vec<State>,
    /// Only pools of this user (staff).
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Only pools of this group.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// States of a pool.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum State {
    Waiting,
    Provisioning,
    Ready,
    Ending,
    Ended,
    Failed,
}

/// Names a pool.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
}

/// A lease to extend.
#[derive(Debug, Args)]
pub(crate) struct Extend {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// The leases end this long from now, such as 90m, 2h or 1d.
    #[arg(value_parser = duration::parse, required_unless_present = "never", conflicts_with = "never")]
    pub(crate) lease: Option<Duration>,
    /// They never end (superusers).
    #[arg(long)]
    pub(crate) never: bool,
}

/// A pool to end.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// Id of the pool.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Wait until nothing of it is left.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; the killing goes on.
    #[arg(long, value_parser = duration::parse, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}
