//! `sproutctl checkout`

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

use super::{duration, pool::Filters};

/// Appliances for as long as a command runs.
#[derive(Debug, Args)]
pub(crate) struct Checkout {
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Give up if not all are ready after this time; the request is ended.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,
    /// If this command is killed while it waits, drop the request after this time, 10s to 1h.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration::parse)]
    pub(crate) keep_alive: Duration,
    /// If CMD fails, hold the appliances for this long, at most 7d, and say how to reach them.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "command")]
    pub(crate) hold_on_failure: Option<Duration>,
    /// Write the appliances to this file, such as env.local.yaml, as `appliances`; it is as before in the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) populate_yaml: Option<PathBuf>,
    /// What to run [default: nothing; the appliances are printed, and yours until Ctrl-C].
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
