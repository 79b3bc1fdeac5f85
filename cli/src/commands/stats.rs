//! `sproutctl stats`

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use sprout_client::proto::stats::QueryRequest;

use crate::{
    args::stats::Stats,
    context::Context,
    failure::Failure,
    output::{stats::StatsView, time},
};

/// Lines that are about right.
const LINES: u64 = 48;
/// Steps to choose from, in minutes; those that numbers of long ago are kept by are among them.
const STEPS: [u64; 10] = [1, 10, 30, 60, 120, 180, 360, 720, 1440, 2880];

pub(crate) async fn run(context: &Context<'_>, args: Stats) -> Result<(), Failure> {
    let connection = context.connect()?;
    let from = SystemTime::now().checked_sub(args.since).map(Timestamp::from);
    let step = args.step.unwrap_or_else(|| usual_step(args.since));
    let request = QueryRequest { from, to: None, step: Some(time::to_proto(step)) };
    let answer = connection.stats().query(request).await.map_err(|status| connection.explain(status))?;
    context.out.card(&StatsView::from(answer.into_inner()))
}

/// The shortest step that does not make too many lines, and that there are numbers for.
fn usual_step(since: Duration) -> Duration {
    let days = since.as_secs() / 86_400;
    let finest = if days >= 30 {
        60
    } else if days >= 2 {
        10
    } else {
        1
    };
    let fits = |step: &&u64| **step >= finest && since.as_secs().div_ceil(60 * **step) <= LINES;
    Duration::from_secs(60 * STEPS.iter().find(fits).copied().unwrap_or(14_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_on_a_screen_or_two() {
        let minutes = |since: u64| usual_step(Duration::from_secs(since * 3600)).as_secs() / 60;
        assert_eq!(
            [minutes(1), minutes(8), minutes(24), minutes(24 * 30), minutes(24 * 365)],
            [10, 10, 30, 1440, 14_400]
        );
    }
}
