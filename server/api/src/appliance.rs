//! `ApplianceService`.

use std::sync::Arc;

use futures::StreamExt as _;
use sprout_app::App;
use sprout_domain::{ApplianceId, operation::Operation};
use sprout_proto::appliance::{self as proto, appliance_service_server::ApplianceService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    appliance_log, auth,
    convert::{Wire, duration, id, lease::extension},
    drain::Draining,
    operate::operate,
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

    async fn forget_appliance(
        &self,
        request: Request<proto::ForgetApplianceRequest>,
    ) -> Result<Response<proto::ForgetApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = ApplianceId(id("id", request.into_inner().id).map_err(status)?);
        let appliance = self.app.forget_appliance(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::ForgetApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn extend_appliance(
        &self,
        request: Request<proto::ExtendApplianceRequest>,
    ) -> Result<Response<proto::ExtendApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = ApplianceId(id("id", request.id).map_err(status)?);
        let extension = extension(request.lease, request.never_expire).map_err(status)?;
        let appliance = self.app.extend_appliance(&caller, id, extension).await.map_err(status)?;
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

    async fn start_appliance(
        &self,
        request: Request<proto::StartApplianceRequest>,
    ) -> Result<Response<proto::StartApplianceResponse>, Status> {
        let operation = Operation::Start;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::StartApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn stop_appliance(
        &self,
        request: Request<proto::StopApplianceRequest>,
    ) -> Result<Response<proto::StopApplianceResponse>, Status> {
        let operation = Operation::Stop;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::StopApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn suspend_appliance(
        &self,
        request: Request<proto::SuspendApplianceRequest>,
    ) -> Result<Response<proto::SuspendApplianceResponse>, Status> {
        let operation = Operation::Suspend;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::SuspendApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn resume_appliance(
        &self,
        request: Request<proto::ResumeApplianceRequest>,
    ) -> Result<Response<proto::ResumeApplianceResponse>, Status> {
        let operation = Operation::Resume;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::ResumeApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn reboot_appliance(
        &self,
        request: Request<proto::RebootApplianceRequest>,
    ) -> Result<Response<proto::RebootApplianceResponse>, Status> {
        let operation = Operation::Reboot;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::RebootApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn rename_appliance(
        &self,
        request: Request<proto::RenameApplianceRequest>,
    ) -> Result<Response<proto::RenameApplianceResponse>, Status> {
        let operation = Operation::Rename(request.get_ref().name.clone());
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::RenameApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn describe_appliance(
        &self,
        request: Request<proto::DescribeApplianceRequest>,
    ) -> Result<Response<proto::DescribeApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = ApplianceId(id("id", request.id).map_err(status)?);
        let appliance = self.app.describe_appliance(&caller, id, &request.description).await.map_err(status)?;
        Ok(Response::new(proto::DescribeApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn hold_appliance(
        &self,
        request: Request<proto::HoldApplianceRequest>,
    ) -> Result<Response<proto::HoldApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = ApplianceId(id("id", request.id).map_err(status)?);
        let time = duration("time", request.time).map_err(status)?;
        let appliance = self.app.hold_appliance(&caller, id, &request.reason, time).await.map_err(status)?;
        Ok(Response::new(proto::HoldApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn unhold_appliance(
        &self,
        request: Request<proto::UnholdApplianceRequest>,
    ) -> Result<Response<proto::UnholdApplianceResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = ApplianceId(id("id", request.into_inner().id).map_err(status)?);
        let appliance = self.app.unhold_appliance(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::UnholdApplianceResponse { appliance: Some(Wire(appliance).into()) }))
    }

    async fn reset_appliance(
        &self,
        request: Request<proto::ResetApplianceRequest>,
    ) -> Result<Response<proto::ResetApplianceResponse>, Status> {
        let operation = Operation::Reset;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::ResetApplianceResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn attach_disk(
        &self,
        request: Request<proto::AttachDiskRequest>,
    ) -> Result<Response<proto::AttachDiskResponse>, Status> {
        let operation = Operation::AttachDisk(request.get_ref().size_mib);
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::AttachDiskResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn detach_disk(
        &self,
        request: Request<proto::DetachDiskRequest>,
    ) -> Result<Response<proto::DetachDiskResponse>, Status> {
        let operation = Operation::DetachDisk;
        let (appliance, workflow_id) = operate(&self.app, &request, request.get_ref().id, operation).await?;
        Ok(Response::new(proto::DetachDiskResponse { appliance: Some(appliance), workflow_id }))
    }

    async fn get_console(
        &self,
        request: Request<proto::GetConsoleRequest>,
    ) -> Result<Response<proto::GetConsoleResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = ApplianceId(id("id", request.into_inner().id).map_err(status)?);
        let url = self.app.console(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::GetConsoleResponse { url }))
    }

    type WatchApplianceStream = BoxStream<proto::WatchApplianceResponse>;

    async fn watch_appliance(
        &self,
        request: Request<proto::WatchApplianceRequest>,
    ) -> Result<Response<Self::WatchApplianceStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = ApplianceId(id("id", request.into_inner().id).map_err(status)?);
        let changes = self.app.watch_appliance(&caller, id).await.map_err(status)?;
        let sent = changes.map(|change| {
            let (appliance, message) = change.map_err(status)?;
            Ok(proto::WatchApplianceResponse { appliance: Some(Wire(appliance).into()), message })
        });
        Ok(streaming(sent, self.draining.clone()))
    }
}
