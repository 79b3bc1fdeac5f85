//! `ShepherdService`.

use std::sync::Arc;

use sprout_app::{App, WantedShepherd};
use sprout_proto::shepherd::{self as proto, shepherd_service_server::ShepherdService};
use tonic::{Request, Response, Status, async_trait};

use crate::{auth, convert::Wire, status::status};

/// Serves shepherds.
pub(crate) struct ShepherdApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl ShepherdService for ShepherdApi {
    async fn list_shepherds(
        &self,
        request: Request<proto::ListShepherdsRequest>,
    ) -> Result<Response<proto::ListShepherdsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let filter = Wire(request.into_inner()).try_into().map_err(status)?;
        let shepherds = self.app.shepherds(&caller, filter).await.map_err(status)?;
        let shepherds = shepherds.into_iter().map(|view| Wire(view).into()).collect();
        Ok(Response::new(proto::ListShepherdsResponse { shepherds }))
    }

    async fn set_shepherd(
        &self,
        request: Request<proto::SetShepherdRequest>,
    ) -> Result<Response<proto::SetShepherdResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let wanted = WantedShepherd::try_from(Wire(request.into_inner().shepherd)).map_err(status)?;
        let view = self.app.set_shepherd(&caller, wanted).await.map_err(status)?;
        Ok(Response::new(proto::SetShepherdResponse { shepherd: Some(Wire(view).into()) }))
    }

    async fn plan_shepherd(
        &self,
        request: Request<proto::PlanShepherdRequest>,
    ) -> Result<Response<proto::PlanShepherdResponse>, Status> {
        let wanted = WantedShepherd::try_from(Wire(request.into_inner().shepherd)).map_err(status)?;
        let planned = self.app.plan_shepherd(&wanted).await.map_err(status)?;
        Ok(Response::new(Wire(planned).into()))
    }
}
