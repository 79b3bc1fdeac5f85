//! `sproutctl workflow …`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, value_parser};

use super::{duration, id};

/// See and end workflows: durable chains of steps on one subject (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// List workflows, newest first.
    List(List),
    /// Show one workflow with its tasks.
    Get(Which),
    /// End a workflow and its parts, and undo what it did.
    ///
    /// A step that runs is stopped; the appliance of a deployment is killed. A kill cannot be cancelled.
    Cancel(Cancel),
    /// Send pings through a provider's workers, and say how quickly they came back.
    ///
    /// A ping is a task that does nothing and touches no provider: this tells whether dispatch works, and how fast.
    Ping(Ping),
}

/// Which workflows to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only workflows in this state; may be repeated [default: those that have not ended].
    #[arg(long, value_enum)]
    pub(crate) state: Vec<State>,
    /// Only those that do this.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,
    /// Only those on this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only those of this appliance, ended ones too.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
    pub(crate) appliance: Option<u64>,
    /// Only parts of this workflow, ended ones too.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
    pub(crate) parent: Option<u64>,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// States of a workflow.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum State {
    Pending,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// What a workflow does.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Kind {
    Deploy,
    Kill,
    CheckProvider,
    CheckProviders,
    Ping,
    Pings,
    Start,
    Stop,
    Suspend,
    Resume,
    Reboot,
    Rename,
    Reset,
    AttachDisk,
    DetachDisk,
    DeleteTemplate,
    Refresh,
    Refreshes,
    CleanUp,
    Prepare,
    DeployUpdated,
    StartMachine,
    StopMachine,
    DeleteMachine,
}

/// Names a workflow.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the workflow.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
}

/// A workflow to end.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Pings to send.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// Key of the provider; workers of its type are pinged.
    pub(crate) provider: String,
    /// How many pings.
    #[arg(short = 'n', long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// Stop waiting after this time; the pings go on.
    #[arg(long, value_parser = duration::parse, default_value = "1m")]
    pub(crate) timeout: Duration,
}
