//! `sproutctl stats`

use std::time::Duration;

use clap::Args;

use super::duration;

/// Which numbers.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Begin this long ago, at most a year.
    #[arg(long, value_parser = duration::parse, value_name = "TIME", default_value = "24h")]
    pub(crate) since: Duration,
    /// Time from one line to the next, such as 1m, 10m or 1h: whole 10 minutes of more than 2 days ago, whole hours of more than 30 days ago [default:
    /// so that the lines fit on a screen or two].
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    pub(crate) step: Option<Duration>,
}
