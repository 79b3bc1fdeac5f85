//! Canned answers on jobs.

use sprout_client::proto::job::{self, Job, JobRun, JobRunState, job_service_server::JobService};
use tonic::{Request, Response, Status};

use super::{Answer, Fake, at};

fn run(id: u64) -> JobRun {
    let failed = id == 1;
    JobRun {
        id,
        job: "provider-check".into(),
        due_at: Some(at(1_700_000_000)),
        server: "127.0.0.1:7600 0a".into(),
        state: if failed { JobRunState::Failed } else { JobRunState::Done }.into(),
        message: if failed { "the database is away" } else { "3 providers are being checked by workflow 40" }.into(),
        started_at: Some(at(1_700_000_000)),
        finished_at: Some(at(1_700_000_001)),
    }
}

/// `provider-check` runs, `orphans` is paused and never ran.
fn jobs() -> Vec<Job> {
    let check = Job {
        name: "provider-check".into(),
        description: "Looks whether each provider answers.".into(),
        period: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
        paused: false,
        due_at: Some(at(1_700_000_600)),
        last_run: Some(run(2)),
    };
    let orphans = Job { name: "orphans".into(), paused: true, last_run: None, ..check.clone() };
    vec![orphans, check]
}

impl Fake {
    fn job(&self, verb: &str, name: &str) -> Result<Option<Job>, Status> {
        self.asked.lock().unwrap().push(format!("{verb} {name}"));
        let job = jobs().into_iter().find(|job| job.name == name);
        job.map(Some).ok_or_else(|| Status::not_found(format!("there is no job {name}")))
    }
}

#[tonic::async_trait]
impl JobService for Fake {
    async fn list_jobs(&self, _: Request<job::ListJobsRequest>) -> Answer<job::ListJobsResponse> {
        Ok(Response::new(job::ListJobsResponse { jobs: jobs() }))
    }

    async fn run_job(&self, request: Request<job::RunJobRequest>) -> Answer<job::RunJobResponse> {
        let job = self.job("run", &request.into_inner().name)?;
        Ok(Response::new(job::RunJobResponse { job }))
    }

    async fn pause_job(&self, request: Request<job::PauseJobRequest>) -> Answer<job::PauseJobResponse> {
        let job = self.job("pause", &request.into_inner().name)?;
        Ok(Response::new(job::PauseJobResponse { job }))
    }

    async fn resume_job(&self, request: Request<job::ResumeJobRequest>) -> Answer<job::ResumeJobResponse> {
        let job = self.job("resume", &request.into_inner().name)?;
        Ok(Response::new(job::ResumeJobResponse { job }))
    }

    async fn list_job_runs(&self, request: Request<job::ListJobRunsRequest>) -> Answer<job::ListJobRunsResponse> {
        let name = request.into_inner().name;
        self.job("history", &name)?;
        // Each look sees one more: whoever waits for a run sees it end.
        let looks = self.asked.lock().unwrap().iter().filter(|asked| **asked == format!("history {name}")).count();
        let newest = u64::try_from(looks).unwrap() + 1;
        let runs = (1..=newest).rev().map(run).collect();
        Ok(Response::new(job::ListJobRunsResponse { runs, next_page_token: String::new() }))
    }
}
