//! `sproutctl worker …`

use clap::{Args, Subcommand};

/// See and manage the nodes that run steps against providers (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Worker {
    /// List workers.
    List(List),
    /// Show one worker with the tasks it runs.
    Get(Which),
    /// Give a worker nothing new; what it runs goes on. Stays so across restarts.
    Drain(Which),
    /// Give a drained worker tasks again.
    Undrain(Which),
    /// Forget a worker: its session ends, its token is void, its tasks are given to others.
    Remove(Remove),
}

/// How to list workers.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// List them again every 2 seconds, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Names a worker.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the worker.
    pub(crate) id: String,
}

/// A worker to forget.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}
