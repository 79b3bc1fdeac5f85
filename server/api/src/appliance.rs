//! `ApplianceService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_domain::ApplianceId;
use sprout_proto::appliance::{self as proto, appliance_service_server::ApplianceService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    appliance_log, auth,
    convert::{Wire, duration, id},
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
};

/// Serves appliances.
pub(crate) struct ApplianceApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl ApplianceService for ApplianceApi {
    type WatchApplianceLogsStream = BoxStream<proto::WatchApplianceLogsResponse>;

    async fn get_appliance(
        &self,
        request: Request<proto::GetApplianceRequest>,
    ) -> Result<Response<proto::GetApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let by = Wire(request.into_inner()).try_into().map_err(status)?;
        let appliance = self.app.appliance(&caller, &by).await.map_err(status)?;
        Ok(Response::new(proto::GetApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn list_appliances(
        &self,
        request: Request<proto::ListAppliancesRequest>,
    ) -> Result<Response<proto::ListAppliancesResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let filter = Wire(request).try_into().map_err(status)?;
        let mut found = self.app.appliances(&caller, filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut found, |appliance| appliance.id.0);
        let appliances = found.into_iter().map(|appliance| Wire(appliance).into()).collect();
        Ok(Response::new(proto::ListAppliancesResponse { appliances, next_page_token }))
    }

    async fn kill_appliance(
        &self,
        request: Request<proto::KillApplianceRequest>,
    ) -> Result<Response<proto::KillApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = ApplianceId(id("id", request.into_inner().id).map_err(status)?);
        let (appliance, workflow) = self.app.kill_appliance(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::KillApplianceResponse {
            appliance: Some(Wire(appliance).into()),
            workflow_id: workflow.map(Into::into),
        }))
    }

    async fn extend_appliance(
        &self,
        request: Request<proto::ExtendApplianceRequest>,
    ) -> Result<Response<proto::ExtendApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = ApplianceId(id("id", request.id).map_err(status)?);
        let lease = duration("lease", request.lease).map_err(status)?;
        let appliance = self.app.extend_appliance(&caller, id, lease).await.map_err(status)?;
        Ok(Response::new(proto::ExtendApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn watch_appliance_logs(
        &self,
        request: Request<proto::WatchApplianceLogsRequest>,
    ) -> Result<Response<Self::WatchApplianceLogsStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = ApplianceId(id("id", request.id).map_err(status)?);
        let lines = appliance_log::watch(self.app.clone(), caller, id, request.follow).await.map_err(status)?;
        Ok(streaming(lines, self.draining.clone()))
    }
}
