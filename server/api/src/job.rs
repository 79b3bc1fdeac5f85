//! `JobService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::job::{self as proto, job_service_server::JobService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    convert::{Wire, text},
    page::PageRequest,
    status::status,
};

/// Serves jobs.
pub(crate) struct JobApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl JobService for JobApi {
    async fn list_jobs(&self, _: Request<proto::ListJobsRequest>) -> Result<Response<proto::ListJobsResponse>, Status> {
        let jobs = self.app.jobs().await.map_err(status)?;
        let jobs = jobs.into_iter().map(|job| Wire(job).into()).collect();
        Ok(Response::new(proto::ListJobsResponse { jobs }))
    }

    async fn run_job(&self, request: Request<proto::RunJobRequest>) -> Result<Response<proto::RunJobResponse>, Status> {
        let name = text("name", request.into_inner().name).map_err(status)?;
        let job = self.app.run_job(&name).await.map_err(status)?;
        Ok(Response::new(proto::RunJobResponse { job: Some(Wire(job).into()) }))
    }

    async fn pause_job(
        &self,
        request: Request<proto::PauseJobRequest>,
    ) -> Result<Response<proto::PauseJobResponse>, Status> {
        let name = text("name", request.into_inner().name).map_err(status)?;
        let job = self.app.pause_job(&name, true).await.map_err(status)?;
        Ok(Response::new(proto::PauseJobResponse { job: Some(Wire(job).into()) }))
    }

    async fn resume_job(
        &self,
        request: Request<proto::ResumeJobRequest>,
    ) -> Result<Response<proto::ResumeJobResponse>, Status> {
        let name = text("name", request.into_inner().name).map_err(status)?;
        let job = self.app.pause_job(&name, false).await.map_err(status)?;
        Ok(Response::new(proto::ResumeJobResponse { job: Some(Wire(job).into()) }))
    }

    async fn list_job_runs(
        &self,
        request: Request<proto::ListJobRunsRequest>,
    ) -> Result<Response<proto::ListJobRunsResponse>, Status> {
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let name = text("name", request.name).map_err(status)?;
        let mut runs = self.app.job_runs(&name, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut runs, |run| run.id);
        let runs = runs.into_iter().map(|run| Wire(run).into()).collect();
        Ok(Response::new(proto::ListJobRunsResponse { runs, next_page_token }))
    }
}
