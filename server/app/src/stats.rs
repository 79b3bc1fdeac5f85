//! Numbers over time: samples are taken by a job, made fewer as they get old, and read by staff.
//!
//! What a sample says of the past is read off the event log from where the last one ended, so nothing is counted twice or missed, whoever leads
//! and whenever. It is counted in a transaction that only reads, which holds nobody up; what comes of it is written only if nobody else was quicker.

use std::time::Duration;

use sprout_domain::{
    Result, Timestamp,
    stats::{self, Flows, Known, Levels, Peaks, Point, Sample, Span, Thinned},
};

use crate::{App, ports::Tx, work::repeated};

/// Events counted in one transaction.
const EVENTS: i64 = 50_000;
/// Rows made wider, or deleted, in one transaction.
const ROWS: u64 = 1_000;
/// Only one server at a time writes them.
const TURN: &str = "stats";

/// What became of taking a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    /// Events that were counted.
    pub events: u64,
    /// There are more.
    pub more: bool,
}

/// What a look at the event log found.
struct Counted {
    /// The sample it goes on from; none: it is the first one.
    last: Option<Sample>,
    /// When it was looked.
    now: Timestamp,
    /// The event up to which it was.
    sequence: i64,
    /// There are more.
    more: bool,
    /// What happened by minute.
    flows: Vec<(Timestamp, Flows)>,
    /// How things stood, if there was nothing more to count.
    levels: Option<Levels>,
}

impl App {
    /// Writes down what happened since the last time, and how things stand. Nothing is counted or written if there was no event.
    pub async fn sample(&self) -> Result<Sampled> {
        let Some(counted) = self.count().await? else { return Ok(Sampled { events: 0, more: false }) };
        repeated(|| async {
            let mut work = self.work().await?;
            work.tx.take_turn(TURN).await?;
            let last = work.tx.last_sample(None).await?;
            if last != counted.last {
                return Ok(()); // somebody else has counted the same
            }
            write(work.tx.as_mut(), &counted).await?;
            work.commit().await
        })
        .await?;
        let before = counted.last.map_or(counted.sequence, |last| last.sequence);
        Ok(Sampled { events: counted.sequence.abs_diff(before), more: counted.more })
    }

    /// Looks at what happened since the last sample; none: nothing did.
    async fn count(&self) -> Result<Option<Counted>> {
        let mut tx = self.ports.store.read().await?;
        let (now, last) = (tx.now(), tx.last_sample(None).await?);
        let end = tx.last_sequence().await?;
        let Some(sample) = &last else {
            // What happened before anybody looked is not made up for.
            let levels = Some(tx.count_levels().await?);
            return Ok(Some(Counted { last, now, sequence: end, more: false, flows: Vec::new(), levels }));
        };
        if end <= sample.sequence {
            return Ok(None);
        }
        let sequence = end.min(sample.sequence.saturating_add(EVENTS));
        let flows = tx.count_flows(sample.sequence, sequence).await?;
        let levels = if sequence == end { Some(tx.count_levels().await?) } else { None };
        Ok(Some(Counted { last, now, sequence, more: sequence < end, flows, levels }))
    }

    /// Makes old rows wider, or deletes the oldest, in one transaction; returns how many are gone. With none, there are no more.
    pub async fn thin_samples(&self) -> Result<u64> {
        let mut tx = self.ports.store.read().await?;
        if to_thin(tx.as_mut()).await?.is_empty() {
            return Ok(0);
        }
        drop(tx);
        repeated(|| async {
            let mut work = self.work().await?;
            work.tx.take_turn(TURN).await?;
            let mut gone = 0;
            for thinned in to_thin(work.tx.as_mut()).await? {
                gone += thinned.gone.len() as u64;
                work.tx.replace_samples(&thinned.gone, &thinned.new).await?;
            }
            work.commit().await?;
            Ok(gone)
        })
        .await
    }

    /// Numbers of a span of time.
    pub async fn stats(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        step: Option<Duration>,
    ) -> Result<(Span, Vec<Point>)> {
        let mut tx = self.ports.store.read().await?;
        let span = stats::span(tx.now(), from, to, step)?;
        let known = match (tx.first_sample().await?, tx.last_sample(None).await?) {
            (Some(first), Some(last)) => {
                Some(Known { since: first.at, uncounted: tx.happened_after(last.sequence).await? })
            }
            _ => None,
        };
        let before = tx.last_sample(Some(span.from)).await?;
        let rows = tx.samples(span.from, span.to).await?;
        Ok((span, stats::points(&span, before, rows, known)))
    }

    /// The newest sample, and the last event there is.
    pub async fn latest_sample(&self) -> Result<(Option<Sample>, i64)> {
        let mut tx = self.ports.store.read().await?;
        Ok((tx.last_sample(None).await?, tx.last_sequence().await?))
    }
}

/// Which rows are old enough to be made wider, or to be deleted; no more than are dealt with in one transaction.
async fn to_thin(tx: &mut dyn Tx) -> Result<Vec<Thinned>> {
    let now = tx.now();
    let mut all = Vec::new();
    for (width, wider, age) in stats::THINNED {
        let rows = tx.old_samples(width, now - age, ROWS).await?;
        let whole = (rows.len() as u64) < ROWS;
        all.push(stats::thinned(&rows, wider, now - age, whole));
    }
    let last = tx.last_sample(None).await?.map(|sample| sample.at);
    let mut old = tx.old_samples(stats::HOUR, now - stats::KEPT, ROWS).await?;
    // From the last one the next goes on.
    old.retain(|sample| Some(sample.at) != last);
    all.push(Thinned { gone: old.iter().map(|sample| sample.at).collect(), new: Vec::new() });
    all.retain(|thinned| !thinned.gone.is_empty());
    Ok(all)
}

/// Adds what was counted to the rows of its minutes.
async fn write(tx: &mut dyn Tx, counted: &Counted) -> Result<()> {
    let Counted { last, now, sequence, flows, levels, .. } = counted;
    let last_at = last.as_ref().map(|sample| sample.at);
    // The clock of a database that was moved may have gone back.
    let now = last_at.map_or(stats::minute_of(*now), |last| stats::minute_of(*now).max(last));
    let mut minutes = stats::tallied(last_at.unwrap_or(now), now, flows.iter().copied());
    if levels.is_some() {
        minutes.entry(now).or_default();
    } else if minutes.is_empty() {
        // What is counted of nothing is remembered, too.
        minutes.insert(last_at.unwrap_or(now), Flows::default());
    }
    let rows = minutes.into_iter().map(|(at, flows)| {
        let levels = levels.clone().filter(|_| at == now);
        let peaks = levels.as_ref().map(Peaks::from);
        let sample = Sample { at, width: stats::MINUTE, sequence: *sequence, levels, peaks, flows };
        // No other row can be there yet.
        match last {
            Some(last) if last.at == at => last.clone().with(sample),
            _ => sample,
        }
    });
    let rows: Vec<_> = rows.collect();
    tx.replace_samples(
        &last_at.into_iter().filter(|at| rows.iter().any(|row| row.at == *at)).collect::<Vec<_>>(),
        &rows,
    )
    .await
}
