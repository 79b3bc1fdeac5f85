//! `JobService`.

use sprout_proto::job::{self as proto, job_service_server::JobService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves jobs.
pub(crate) struct JobApi;

#[async_trait]
impl JobService for JobApi {
    async fn list_jobs(&self, _: Request<proto::ListJobsRequest>) -> Result<Response<proto::ListJobsResponse>, Status> {
        Err(unbuilt())
    }

    async fn run_job(&self, _: Request<proto::RunJobRequest>) -> Result<Response<proto::RunJobResponse>, Status> {
        Err(unbuilt())
    }

    async fn pause_job(&self, _: Request<proto::PauseJobRequest>) -> Result<Response<proto::PauseJobResponse>, Status> {
        Err(unbuilt())
    }

    async fn resume_job(
        &self,
        _: Request<proto::ResumeJobRequest>,
    ) -> Result<Response<proto::ResumeJobResponse>, Status> {
        Err(unbuilt())
    }

    async fn list_job_runs(
        &self,
        _: Request<proto::ListJobRunsRequest>,
    ) -> Result<Response<proto::ListJobRunsResponse>, Status> {
        Err(unbuilt())
    }
}
