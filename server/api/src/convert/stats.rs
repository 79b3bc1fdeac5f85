//! Numbers over time on the wire.

use std::time::Duration;

use sprout_domain::{
    Error, Result, Timestamp,
    stats::{BOUNDS, Flows, Levels, Peaks, Point, Span},
};
use sprout_proto::{appliance, stats as proto};

use super::{Wire, moment, optional_duration, span};

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) step: Option<Duration>,
}

impl TryFrom<Wire<proto::QueryRequest>> for Asked {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::QueryRequest>) -> Result<Self> {
        Ok(Self {
            from: optional_moment("from", request.from)?,
            to: optional_moment("to", request.to)?,
            step: optional_duration("step", request.step)?,
        })
    }
}

fn optional_moment(field: &'static str, at: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    let Some(at) = at else { return Ok(None) };
    let found = u32::try_from(at.nanos).ok().and_then(|nanos| Timestamp::from_timestamp(at.seconds, nanos));
    found.map(Some).ok_or_else(|| Error::invalid(field, format!("{field} is no moment; say e.g. 2026-01-31T12:00:00Z")))
}

/// What is answered.
pub(crate) fn answer(asked: Span, points: Vec<Point>) -> proto::QueryResponse {
    proto::QueryResponse {
        step: Some(span(asked.step)),
        points: points.into_iter().map(|point| Wire(point).into()).collect(),
        wait_bounds: BOUNDS.into_iter().map(span).collect(),
    }
}

impl From<Wire<Point>> for proto::Point {
    fn from(Wire(point): Wire<Point>) -> Self {
        let Point { at, covers, levels, peaks, flows } = point;
        Self {
            at: Some(moment(at)),
            covers: Some(span(covers)),
            levels: levels.map(|levels| Wire(levels).into()),
            peaks: peaks.map(|peaks| Wire(peaks).into()),
            flows: flows.map(|flows| Wire(flows).into()),
        }
    }
}

impl From<Wire<Levels>> for proto::Levels {
    fn from(Wire(levels): Wire<Levels>) -> Self {
        let Levels { waiting_pools, waiting_seats, appliances, warm, workers, slots, running_tasks } = levels;
        let count = |(state, count)| proto::ApplianceCount {
            state: appliance::ApplianceState::from(Wire(state)).into(),
            count,
        };
        let appliances = appliances.into_iter().map(count).collect();
        Self { waiting_pools, waiting_seats, appliances, warm, workers, slots, running_tasks }
    }
}

impl From<Wire<Peaks>> for proto::Peaks {
    fn from(Wire(peaks): Wire<Peaks>) -> Self {
        let Peaks { waiting_pools, waiting_seats, running_tasks } = peaks;
        Self { waiting_pools, waiting_seats, running_tasks }
    }
}

impl From<Wire<Flows>> for proto::Flows {
    fn from(Wire(flows): Wire<Flows>) -> Self {
        let Flows {
            pools_requested,
            pools_failed,
            waits,
            granted_warm,
            deployed,
            appliances_failed,
            workflows_failed,
            tasks_done,
            tasks_failed,
        } = flows;
        Self {
            pools_requested,
            pools_ready: waits.count(),
            pools_failed,
            granted_warm,
            deployed,
            waits: waits.buckets.to_vec(),
            wait_p50: waits.percentile(50).map(span),
            wait_p95: waits.percentile(95).map(span),
            wait_max: waits.percentile(100).map(span),
            appliances_failed,
            workflows_failed,
            tasks_done,
            tasks_failed,
        }
    }
}
