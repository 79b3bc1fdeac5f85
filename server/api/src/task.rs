//! `TaskService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_domain::TaskId;
use sprout_proto::task::{self as proto, task_service_server::TaskService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    convert::{Wire, id},
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
    task_log,
};

/// Serves tasks.
pub(crate) struct TaskApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl TaskService for TaskApi {
    type WatchTaskLogsStream = BoxStream<proto::WatchTaskLogsResponse>;

    async fn list_tasks(
        &self,
        request: Request<proto::ListTasksRequest>,
    ) -> Result<Response<proto::ListTasksResponse>, Status> {
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let filter = Wire(request).try_into().map_err(status)?;
        let mut found = self.app.tasks(&filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut found, |task| task.id.0);
        let tasks = found.into_iter().map(|task| Wire(task).into()).collect();
        Ok(Response::new(proto::ListTasksResponse { tasks, next_page_token }))
    }

    async fn get_task(
        &self,
        request: Request<proto::GetTaskRequest>,
    ) -> Result<Response<proto::GetTaskResponse>, Status> {
        let id = TaskId(id("id", request.into_inner().id).map_err(status)?);
        let task = self.app.task(id).await.map_err(status)?;
        Ok(Response::new(proto::GetTaskResponse { task: Some(Wire(task).into()) }))
    }

    async fn cancel_task(
        &self,
        request: Request<proto::CancelTaskRequest>,
    ) -> Result<Response<proto::CancelTaskResponse>, Status> {
        let id = TaskId(id("id", request.into_inner().id).map_err(status)?);
        let task = self.app.cancel_task(id).await.map_err(status)?;
        Ok(Response::new(proto::CancelTaskResponse { task: Some(Wire(task).into()) }))
    }

    async fn retry_task(
        &self,
        request: Request<proto::RetryTaskRequest>,
    ) -> Result<Response<proto::RetryTaskResponse>, Status> {
        let id = TaskId(id("id", request.into_inner().id).map_err(status)?);
        let task = self.app.retry_task(id).await.map_err(status)?;
        Ok(Response::new(proto::RetryTaskResponse { task: Some(Wire(task).into()) }))
    }

    async fn watch_task_logs(
        &self,
        request: Request<proto::WatchTaskLogsRequest>,
    ) -> Result<Response<Self::WatchTaskLogsStream>, Status> {
        let request = request.into_inner();
        let id = TaskId(id("id", request.id).map_err(status)?);
        let lines = task_log::watch(self.app.clone(), id, request.follow).await.map_err(status)?;
        Ok(streaming(lines, self.draining.clone()))
    }
}
