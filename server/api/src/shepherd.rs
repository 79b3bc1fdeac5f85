//! `ShepherdService`.

use sprout_proto::shepherd::{self as proto, shepherd_service_server::ShepherdService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves shepherds.
pub(crate) struct ShepherdApi;

#[async_trait]
impl ShepherdService for ShepherdApi {
    async fn list_shepherds(
        &self,
        _: Request<proto::ListShepherdsRequest>,
    ) -> Result<Response<proto::ListShepherdsResponse>, Status> {
        Err(unbuilt())
    }

    async fn set_shepherd(
        &self,
        _: Request<proto::SetShepherdRequest>,
    ) -> Result<Response<proto::SetShepherdResponse>, Status> {
        Err(unbuilt())
    }

    async fn plan_shepherd(
        &self,
        _: Request<proto::PlanShepherdRequest>,
    ) -> Result<Response<proto::PlanShepherdResponse>, Status> {
        Err(unbuilt())
    }
}
