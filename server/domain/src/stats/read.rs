//! What is read: points at a step of the reader's choice, made of the rows there are.

use std::time::Duration;

use super::{Flows, HOUR, Levels, MINUTE, Peaks, Sample, TEN_MINUTES, highest, write::end_of};
use crate::{Error, Result, Timestamp};

/// Points that are answered at most.
pub const MAX_POINTS: u64 = 1000;
/// Points that a step is chosen for.
const FEW_POINTS: u64 = 300;
/// What is read if nobody says from when on.
const USUAL: Duration = Duration::from_secs(24 * 3600);
/// How long ago numbers begin, and how wide rows may be that are older than this.
const AGES: [(Duration, Duration); 2] =
    [(Duration::from_secs(30 * 24 * 3600), HOUR), (Duration::from_secs(2 * 24 * 3600), TEN_MINUTES)];
/// The longest ago that anything is kept.
const OLDEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Steps to choose from, in seconds.
const STEPS: [u64; 10] = [60, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/// What is to be read: whole steps, but for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning, a multiple of the step.
    pub from: Timestamp,
    /// Its end, a whole minute.
    pub to: Timestamp,
    /// From one point to the next.
    pub step: Duration,
}

/// Checks what is asked for, and fills in what is not said.
///
/// # Errors
/// If there are no such numbers, or too many.
pub fn span(now: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>, step: Option<Duration>) -> Result<Span> {
    let oldest = now - OLDEST;
    let to = whole_minute(to.map_or(now, |to| to.clamp(oldest, now)));
    let from = from.unwrap_or_else(|| (to - USUAL).max(oldest));
    if from < oldest {
        return Err(Error::invalid("from", "numbers are kept for 365 days; ask for a later from"));
    }
    if from >= to {
        let message =
            "from is not before to (at the latest the last whole minute); ask for a minute or more of the past year";
        return Err(Error::invalid("from", message));
    }
    let finest = AGES.iter().find(|(age, _)| from < now - *age).map_or(MINUTE, |(_, width)| *width);
    let length = u64::try_from((to - from).num_seconds()).unwrap_or_default();
    let usual = || {
        let fits = |step: &&u64| step.is_multiple_of(finest.as_secs()) && length.div_ceil(**step) <= FEW_POINTS;
        Duration::from_secs(STEPS.iter().find(fits).copied().unwrap_or(2 * 86_400))
    };
    let step = step.map_or_else(|| Ok(usual()), |step| checked(step, finest))?;
    let seconds = step.as_secs();
    if length.div_ceil(seconds) > MAX_POINTS {
        let least = length.div_ceil(MAX_POINTS).next_multiple_of(finest.as_secs()).div_ceil(60);
        let message =
            format!("that is more than {MAX_POINTS} points; ask for a shorter time, or for a step of {least}m or more");
        return Err(Error::invalid("step", message));
    }
    Ok(Span { from: end_of(from, step) - step, to, step })
}

/// A step that there are numbers for.
fn checked(step: Duration, finest: Duration) -> Result<Duration> {
    let invalid = |message: &str| Err(Error::invalid("step", message));
    if step.subsec_nanos() != 0 || step.is_zero() || !step.as_secs().is_multiple_of(60) {
        return invalid("a step is of whole minutes; ask for e.g. 10m");
    }
    if step > Duration::from_secs(366 * 86_400) {
        return invalid("a step longer than a year has no numbers; ask for e.g. 24h");
    }
    if step.as_secs().is_multiple_of(finest.as_secs()) {
        Ok(step)
    } else if finest == HOUR {
        invalid(
            "numbers of more than 30 days ago are kept by the hour; ask for a step of whole hours, or for a later from",
        )
    } else {
        invalid(
            "numbers of more than 2 days ago are kept by 10 minutes; ask for a step of 10m, 20m …, or for a later from",
        )
    }
}

fn whole_minute(at: Timestamp) -> Timestamp {
    end_of(at, MINUTE) - MINUTE
}

/// Between which moments it is known what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// When somebody looked first.
    pub since: Timestamp,
    /// From when on something happened that is not counted yet; none: nothing did.
    pub uncounted: Option<Timestamp>,
}

impl Known {
    /// What happened until this moment is counted.
    fn is_counted(&self, until: Timestamp) -> bool {
        self.uncounted.is_none_or(|at| until <= whole_minute(at))
    }
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its end.
    pub at: Timestamp,
    /// How long it is.
    pub covers: Duration,
    /// How things stood at its end; none: nobody looked.
    pub levels: Option<Levels>,
    /// The most there was at once; none: nobody looked.
    pub peaks: Option<Peaks>,
    /// What happened in it; none: it is not counted.
    pub flows: Option<Flows>,
}

/// Makes points. `before` is the last row until the beginning of the span, `rows` are those after it until its end, in order. Without `known` nobody ever looked.
pub fn points(span: &Span, before: Option<Sample>, rows: Vec<Sample>, known: Option<Known>) -> Vec<Point> {
    let (mut from, mut stands) = (span.from, before.and_then(|row| row.levels));
    let mut rows = rows.into_iter().peekable();
    let mut points = Vec::new();
    while from < span.to {
        let at = (from + span.step).min(span.to);
        let (mut flows, mut peaks) = (Flows::default(), stands.as_ref().map(Peaks::from));
        while let Some(row) = rows.next_if(|row| row.at <= at) {
            flows.add(&row.flows);
            peaks = highest([peaks, row.peaks]);
            stands = row.levels;
        }
        let counted = known.filter(|known| known.is_counted(at) && known.since < at);
        points.push(Point {
            at,
            covers: (at - from).to_std().unwrap_or_default(),
            levels: stands.clone().filter(|_| known.is_some_and(|known| known.is_counted(at))),
            peaks,
            flows: counted.map(|_| flows),
        });
        from = at;
    }
    points
}
