//! `sproutctl task …`

use clap::{Args, Subcommand, ValueEnum};

use super::id;

/// See and steer tasks: the steps of workflows, each scheduled on a worker (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// List tasks, newest first.
    List(List),
    /// Show one task.
    Get(Which),
    /// Stop a task that a worker runs; it is tried again from the beginning.
    ///
    /// To end the work as a whole, cancel its workflow.
    Cancel(Which),
    /// Try a task that waits for its next try now.
    Retry(Which),
    /// Print a task's log, oldest line first.
    Logs(Logs),
}

/// Which tasks to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only tasks in this state; may be repeated [default: those that have not ended].
    #[arg(long, value_enum)]
    pub(crate) state: Vec<State>,
    /// Only those of this worker.
    #[arg(long, value_name = "ID")]
    pub(crate) worker: Option<String>,
    /// Only those on this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only those of this workflow, ended ones too.
    #[arg(long, value_name = "ID", value_parser = id::parse)]
    pub(crate) workflow: Option<u64>,
    /// List at most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// States of a task.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum State {
    Blocked,
    Ready,
    Running,
    Retrying,
    Done,
    Failed,
    Cancelled,
}

/// Names a task.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the task.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
}

/// A log to read.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Stay for new lines until the task has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
}
