//! Numbers over time as they are shown: a line for each step; what nobody looked at is a question mark.

use std::collections::BTreeMap;

use serde::Serialize;
use sprout_client::proto::{
    appliance::ApplianceState,
    stats::{Flows, Levels, Peaks, Point, QueryResponse},
};

use super::{Card, lower, stdout_width, table, time};

/// Numbers of a span of time.
#[derive(Debug, Serialize)]
pub(crate) struct StatsView {
    step_seconds: Option<i64>,
    /// What `waits` counts by.
    wait_bounds_seconds: Vec<f64>,
    points: Vec<PointView>,
}

/// One step.
#[derive(Debug, Serialize)]
struct PointView {
    at: Option<String>,
    covers_seconds: Option<i64>,
    levels: Option<LevelsView>,
    peaks: Option<PeaksView>,
    flows: Option<FlowsView>,
}

#[derive(Debug, Serialize)]
struct LevelsView {
    waiting_pools: u64,
    waiting_seats: u64,
    appliances: BTreeMap<String, u64>,
    warm: u64,
    workers: u64,
    slots: u64,
    running_tasks: u64,
}

#[derive(Debug, Serialize)]
struct PeaksView {
    waiting_pools: u64,
    waiting_seats: u64,
    running_tasks: u64,
}

#[derive(Debug, Serialize)]
struct FlowsView {
    pools_requested: u64,
    pools_ready: u64,
    pools_failed: u64,
    granted_warm: u64,
    deployed: u64,
    waits: Vec<u64>,
    wait_p50_seconds: Option<f64>,
    wait_p95_seconds: Option<f64>,
    wait_max_seconds: Option<f64>,
    appliances_failed: u64,
    workflows_failed: u64,
    tasks_done: u64,
    tasks_failed: u64,
}

impl From<QueryResponse> for StatsView {
    fn from(answer: QueryResponse) -> Self {
        Self {
            step_seconds: time::seconds(answer.step),
            wait_bounds_seconds: answer.wait_bounds.into_iter().map(exact).collect(),
            points: answer.points.into_iter().map(PointView::from).collect(),
        }
    }
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        Self {
            at: time::rfc3339(point.at),
            covers_seconds: time::seconds(point.covers),
            levels: point.levels.map(LevelsView::from),
            peaks: point.peaks.map(|Peaks { waiting_pools, waiting_seats, running_tasks }| PeaksView {
                waiting_pools,
                waiting_seats,
                running_tasks,
            }),
            flows: point.flows.map(FlowsView::from),
        }
    }
}

impl From<Levels> for LevelsView {
    fn from(levels: Levels) -> Self {
        let Levels { waiting_pools, waiting_seats, appliances, warm, workers, slots, running_tasks } = levels;
        let name = |state| lower(state, ApplianceState::as_str_name, "APPLIANCE_STATE_");
        let appliances = appliances.into_iter().map(|of| (name(of.state), of.count)).collect();
        Self { waiting_pools, waiting_seats, appliances, warm, workers, slots, running_tasks }
    }
}

impl From<Flows> for FlowsView {
    fn from(flows: Flows) -> Self {
        Self {
            pools_requested: flows.pools_requested,
            pools_ready: flows.pools_ready,
            pools_failed: flows.pools_failed,
            granted_warm: flows.granted_warm,
            deployed: flows.deployed,
            waits: flows.waits,
            wait_p50_seconds: flows.wait_p50.map(exact),
            wait_p95_seconds: flows.wait_p95.map(exact),
            wait_max_seconds: flows.wait_max.map(exact),
            appliances_failed: flows.appliances_failed,
            workflows_failed: flows.workflows_failed,
            tasks_done: flows.tasks_done,
            tasks_failed: flows.tasks_failed,
        }
    }
}

fn exact(duration: prost_types::Duration) -> f64 {
    std::time::Duration::try_from(duration).unwrap_or_default().as_secs_f64()
}

/// A short time for a narrow column.
fn short(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 120.0 => time::precise(seconds),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some minutes or hours")]
        Some(seconds) => time::rough(seconds as u64),
    }
}

const HEADS: [&str; 10] = ["UNTIL", "WAITING", "ALIVE", "WARM", "READY", "HITS", "P50", "P95", "FAILED", "TASKS"];

impl PointView {
    fn cells(&self) -> Vec<String> {
        let level = |show: fn(&LevelsView) -> String| self.levels.as_ref().map_or_else(|| "?".to_owned(), show);
        let flow = |show: fn(&FlowsView) -> String| self.flows.as_ref().map_or_else(|| "?".to_owned(), show);
        let hits = |flows: &FlowsView| match flows.granted_warm + flows.deployed {
            0 => "-".to_owned(),
            all => format!("{}%", flows.granted_warm * 100 / all),
        };
        vec![
            self.at.as_deref().and_then(|at| at.get(5..16)).unwrap_or_default().replace('T', " "),
            level(|levels| match levels.waiting_pools {
                0 => "0".to_owned(),
                pools => format!("{pools} ({})", levels.waiting_seats),
            }),
            level(|levels| levels.appliances.values().sum::<u64>().to_string()),
            level(|levels| levels.warm.to_string()),
            flow(|flows| flows.pools_ready.to_string()),
            flow(hits),
            flow(|flows| short(flows.wait_p50_seconds)),
            flow(|flows| short(flows.wait_p95_seconds)),
            flow(|flows| (flows.pools_failed + flows.appliances_failed).to_string()),
            level(|levels| format!("{}/{}", levels.running_tasks, levels.slots)),
        ]
    }
}

impl Card for StatsView {
    fn text(&self) -> String {
        table::render_cells(&HEADS, self.points.iter().map(PointView::cells), stdout_width())
    }
}
