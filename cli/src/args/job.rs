//! `sproutctl job …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// See and run what the server does again and again (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// List jobs: what each does, when it is due, and how it went last.
    List,
    /// Have a job run now, also a paused one.
    Run(Run),
    /// Pause a job: it runs only by hand then.
    Pause(Which),
    /// Let a paused job run again when it is due; at once, if it was due meanwhile.
    Resume(Which),
    /// List the runs of a job, newest first.
    History(History),
}

/// Names a job.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of the job.
    pub(crate) name: String,
}

/// A job to run.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Wait for the end of the run. What it has workers do may go on then.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time.
    #[arg(long, value_parser = duration::parse, requires = "wait", default_value = "2m")]
    pub(crate) timeout: Duration,
}

/// Which runs to list.
#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) which: Which,
    /// List at most this many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}
