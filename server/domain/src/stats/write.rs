//! What is written: one row a minute with something in it, and fewer of them the older they get.

use std::{collections::BTreeMap, time::Duration};

use super::{Flows, Sample, highest};
use crate::Timestamp;

/// What is written first.
pub const MINUTE: Duration = Duration::from_secs(60);
/// What minutes become.
pub const TEN_MINUTES: Duration = Duration::from_secs(600);
/// What those become.
pub const HOUR: Duration = Duration::from_secs(3600);
/// A day, for the ages below.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How old rows of a width become before they are made wider. A little older than what readers are promised, who look while that is done.
pub const THINNED: [(Duration, Duration, Duration); 2] =
    [(MINUTE, TEN_MINUTES, Duration::from_secs(49 * 3600)), (TEN_MINUTES, HOUR, DAY.saturating_mul(31))];
/// How old the widest rows become before they are deleted.
pub const KEPT: Duration = DAY.saturating_mul(366);

/// What comes so late after the end of a minute still counts for it: jobs begin a little after they are due.
const LATE: i64 = 10;

/// The end of the minute that a sample taken now is for: the one that has just ended, else the one that runs.
pub fn minute_of(now: Timestamp) -> Timestamp {
    let seconds = (now.timestamp() - LATE).div_euclid(60).saturating_add(1).saturating_mul(60);
    Timestamp::from_timestamp(seconds, 0).unwrap_or(now)
}

/// The end of the span of this width that a moment is in.
pub(super) fn end_of(at: Timestamp, width: Duration) -> Timestamp {
    let width = i64::try_from(width.as_secs()).unwrap_or(i64::MAX).max(1);
    let begun = at.timestamp().div_euclid(width);
    Timestamp::from_timestamp(begun.saturating_add(1).saturating_mul(width), 0).unwrap_or(at)
}

/// Adds up what was counted at some moments by minute. What happened before the last sample (its transaction took a while to commit) is added to that one, and
/// what happened since the minute ended that is sampled now is counted in it: each event once, whatever the clocks do.
pub fn tallied(
    last: Timestamp,
    now: Timestamp,
    counted: impl IntoIterator<Item = (Timestamp, Flows)>,
) -> BTreeMap<Timestamp, Flows> {
    let mut minutes = BTreeMap::<_, Flows>::new();
    for (moment, flows) in counted {
        let minute = end_of(moment, MINUTE).min(now).max(last);
        minutes.entry(minute).or_default().add(&flows);
    }
    minutes
}

/// Rows that replace others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thinned {
    /// Ends of those that go.
    pub gone: Vec<Timestamp>,
    /// Those that come.
    pub new: Vec<Sample>,
}

/// Makes rows, in order and all of one width, wider, as far as the wider ones end before a moment. `whole`: there are no more; else the last span may
/// have more rows than these, and is left alone.
pub fn thinned(rows: &[Sample], width: Duration, before: Timestamp, whole: bool) -> Thinned {
    let end = |row: &Sample| end_of(row.at - Duration::from_secs(1), width);
    let mut spans: Vec<&[Sample]> = rows.chunk_by(|a, b| end(a) == end(b)).collect();
    if !whole {
        spans.pop();
    }
    spans.retain(|span| span.last().is_some_and(|row| end(row) <= before));
    let mut thinned = Thinned::default();
    for span in spans {
        let Some(last) = span.last() else { continue };
        let mut flows = Flows::default();
        for row in span {
            flows.add(&row.flows);
        }
        thinned.gone.extend(span.iter().map(|row| row.at));
        // How it stood after the last of them is how it stands at the end of the span: had something happened, there were another one.
        thinned.new.push(Sample {
            at: end(last),
            width,
            sequence: last.sequence,
            levels: last.levels.clone(),
            peaks: highest(span.iter().map(|row| row.peaks)),
            flows,
        });
    }
    thinned
}
