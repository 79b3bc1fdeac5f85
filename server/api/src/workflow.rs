//! `WorkflowService`.

use std::sync::Arc;

use futures::TryStreamExt as _;
use sprout_app::App;
use sprout_domain::{
    WorkflowId,
    workflow::{Task, Workflow},
};
use sprout_proto::workflow::{self as proto, workflow_service_server::WorkflowService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{Wire, id, text},
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
};

/// Serves workflows.
pub(crate) struct WorkflowApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl WorkflowService for WorkflowApi {
    async fn list_workflows(
        &self,
        request: Request<proto::ListWorkflowsRequest>,
    ) -> Result<Response<proto::ListWorkflowsResponse>, Status> {
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let filter = Wire(request).try_into().map_err(status)?;
        let mut found = self.app.workflows(&filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut found, |workflow| workflow.id.0);
        let workflows = found.into_iter().map(|workflow| Wire(workflow).into()).collect();
        Ok(Response::new(proto::ListWorkflowsResponse { workflows, next_page_token }))
    }

    async fn get_workflow(
        &self,
        request: Request<proto::GetWorkflowRequest>,
    ) -> Result<Response<proto::GetWorkflowResponse>, Status> {
        let id = WorkflowId(id("id", request.into_inner().id).map_err(status)?);
        let (workflow, tasks) = self.app.workflow(id).await.map_err(status)?;
        let tasks = tasks.into_iter().map(|task| Wire(task).into()).collect();
        Ok(Response::new(proto::GetWorkflowResponse { workflow: Some(Wire(workflow).into()), tasks }))
    }

    async fn cancel_workflow(
        &self,
        request: Request<proto::CancelWorkflowRequest>,
    ) -> Result<Response<proto::CancelWorkflowResponse>, Status> {
        let id = WorkflowId(id("id", request.into_inner().id).map_err(status)?);
        let workflow = self.app.cancel_workflow(id).await.map_err(status)?;
        Ok(Response::new(proto::CancelWorkflowResponse { workflow: Some(Wire(workflow).into()) }))
    }

    async fn ping(&self, request: Request<proto::PingRequest>) -> Result<Response<proto::PingResponse>, Status> {
        let request = request.into_inner();
        let provider = text("provider", request.provider).map_err(status)?.as_str().into();
        let workflow = self.app.ping(&provider, request.count.max(1)).await.map_err(status)?;
        Ok(Response::new(proto::PingResponse { workflow: Some(Wire(workflow).into()) }))
    }

    type WatchWorkflowStream = BoxStream<proto::WatchWorkflowResponse>;

    async fn watch_workflow(
        &self,
        request: Request<proto::WatchWorkflowRequest>,
    ) -> Result<Response<Self::WatchWorkflowStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = WorkflowId(id("id", request.into_inner().id).map_err(status)?);
        let states = self.app.watch_workflow(&caller, id).await.map_err(status)?;
        let sent = states.map_ok(watched).map_err(status);
        Ok(streaming(sent, self.draining.clone()))
    }
}

fn watched((workflow, tasks): (Workflow, Vec<Task>)) -> proto::WatchWorkflowResponse {
    let tasks = tasks.into_iter().map(|task| Wire(task).into()).collect();
    proto::WatchWorkflowResponse { workflow: Some(Wire(workflow).into()), tasks }
}
