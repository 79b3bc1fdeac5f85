//! Canned numbers over time: a busy step, an idle one, and one that nobody looked at.

use prost_types::Duration;
use sprout_client::proto::{
    appliance::ApplianceState,
    stats::{
        ApplianceCount, Flows, Levels, Peaks, Point, QueryRequest, QueryResponse, stats_service_server::StatsService,
    },
};
use tonic::Request;

use super::{Answer, Fake, at};

#[tonic::async_trait]
impl StatsService for Fake {
    async fn query(&self, request: Request<QueryRequest>) -> Answer<QueryResponse> {
        let span = |seconds, millis: i32| Some(Duration { seconds, nanos: millis * 1_000_000 });
        let step = request.into_inner().step;
        let count = |state: ApplianceState, count| ApplianceCount { state: state.into(), count };
        let levels = Levels {
            waiting_pools: 2,
            waiting_seats: 5,
            appliances: vec![count(ApplianceState::Cloning, 3), count(ApplianceState::Ready, 40)],
            warm: 7,
            workers: 2,
            slots: 256,
            running_tasks: 3,
        };
        let flows = Flows {
            pools_requested: 11,
            pools_ready: 10,
            pools_failed: 1,
            granted_warm: 12,
            deployed: 4,
            waits: vec![8, 0, 0, 0, 2, 0],
            wait_p50: span(0, 3),
            wait_p95: span(25, 500),
            wait_max: span(29, 0),
            appliances_failed: 1,
            workflows_failed: 1,
            tasks_done: 90,
            tasks_failed: 2,
        };
        let peaks = Peaks { waiting_pools: 4, waiting_seats: 9, running_tasks: 20 };
        let point = |seconds, levels, peaks, flows| Point { at: Some(at(seconds)), covers: step, levels, peaks, flows };
        let idle = Levels { waiting_pools: 0, waiting_seats: 0, ..levels.clone() };
        let points = vec![
            point(1_700_000_400, Some(levels), Some(peaks), Some(flows)),
            point(1_700_001_000, Some(idle), Some(Peaks::default()), Some(Flows::default())),
            point(1_700_001_600, None, None, None),
        ];
        Ok(QueryResponse { step, points, wait_bounds: [(0, 100), (1, 0)].map(|(s, m)| span(s, m).unwrap()).to_vec() }
            .into())
    }
}
