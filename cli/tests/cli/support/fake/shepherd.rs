//! Shepherds: one of a group for everyone, one by demand for a user group.

use prost_types::Duration;
use sprout_client::proto::shepherd::{
    self as proto, Demand, PlannedAction, PlannedChange, Shepherd, ShepherdStatus, Window,
    shepherd_service_server::ShepherdService,
};
use tonic::{Request, Response, Status};

use super::{Answer, Fake};

fn status(shepherd: Shepherd) -> ShepherdStatus {
    ShepherdStatus {
        wanted: shepherd.demand.as_ref().map_or(shepherd.preconfigured, |demand| demand.min),
        shepherd: Some(shepherd),
        warm: 1,
        coming: 1,
        version: "1.2".into(),
        status: "docker is full; kill something there, or raise its limit".into(),
        ..ShepherdStatus::default()
    }
}

fn for_everyone() -> ShepherdStatus {
    status(Shepherd { group: "demo".into(), preconfigured: 3, unconfigured: 1, ..Shepherd::default() })
}

fn by_demand() -> ShepherdStatus {
    let window = Window { days: vec![1, 2], from_minute: 480, to_minute: 1080, min: 5 };
    let demand = Demand { min: 2, max: 9, schedule: vec![window] };
    let shepherd =
        Shepherd { group: "demo".into(), user_group: "qe".into(), demand: Some(demand), ..Shepherd::default() };
    ShepherdStatus {
        status: String::new(),
        requests_per_hour: Some(12.34),
        provisioning_time: Some(Duration { seconds: 300, nanos: 0 }),
        ..status(shepherd)
    }
}

#[tonic::async_trait]
impl ShepherdService for Fake {
    async fn list_shepherds(
        &self,
        request: Request<proto::ListShepherdsRequest>,
    ) -> Answer<proto::ListShepherdsResponse> {
        // For `waiting` it takes a while until all are warm, and for `full` for ever; that of `forgotten` is gone.
        if let Some(user_group) = request.into_inner().user_group {
            let looks = {
                let mut looks = self.watches.lock().unwrap();
                *looks += 1;
                *looks
            };
            let warm = if user_group == "waiting" && looks > 2 { 3 } else { 1 };
            let shepherd = Shepherd { group: "demo".into(), preconfigured: 3, user_group, ..Shepherd::default() };
            let shepherds = match &*shepherd.user_group {
                "waiting" if looks == 2 => return Err(Status::unavailable("the server is restarting")),
                "forgotten" => Vec::new(),
                _ => vec![ShepherdStatus { warm, ..status(shepherd) }],
            };
            return Ok(Response::new(proto::ListShepherdsResponse { shepherds }));
        }
        Ok(Response::new(proto::ListShepherdsResponse { shepherds: vec![for_everyone(), by_demand()] }))
    }

    async fn set_shepherd(&self, request: Request<proto::SetShepherdRequest>) -> Answer<proto::SetShepherdResponse> {
        let shepherd = request.into_inner().shepherd.unwrap();
        if shepherd.group != "demo" {
            return Err(Status::not_found(format!("there is no group {}", shepherd.group)));
        }
        self.asked.lock().unwrap().push(format!("{shepherd:?}"));
        Ok(Response::new(proto::SetShepherdResponse { shepherd: Some(status(shepherd)) }))
    }

    async fn plan_shepherd(&self, _: Request<proto::PlanShepherdRequest>) -> Answer<proto::PlanShepherdResponse> {
        let change = |action: PlannedAction, count, reason: &str| PlannedChange {
            action: action.into(),
            count,
            provider: "docker".into(),
            version: "1.2".into(),
            reason: reason.into(),
        };
        let changes = vec![
            change(PlannedAction::Kill, 1, "a newer build is kept warm"),
            change(PlannedAction::Deploy, 2, "there is room"),
            change(PlannedAction::Wait, 3, "users wait for docker, and come first"),
        ];
        Ok(Response::new(proto::PlanShepherdResponse { now: Some(for_everyone()), wanted: 7, changes }))
    }
}
