//! `sproutctl worker …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

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
    /// Forget a worker: its session ends, its credentials are void, its tasks are given to others.
    Remove(Remove),
    /// Make a token with which a worker can join once. Printed alone on stdout, for a file.
    Token(Token),
    /// List the tokens with which workers can join still.
    Tokens,
    /// Make a worker's tokens void that were not used yet.
    RevokeToken(Which),
}

/// How to list workers.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// List them again whenever something of them changes, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Names a worker.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the worker.
    pub(crate) id: String,
}

/// A worker that is to join.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) which: Which,
    /// How long it can be used, at most 7d [default: 1h].
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) expires: Option<Duration>,
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
