//! Jobs as staff see and run them.

use std::time::Duration;

use sprout_app::JobSpec;
use sprout_proto::job::{
    JobRunState, ListJobRunsRequest, ListJobsRequest, PauseJobRequest, ResumeJobRequest, RunJobRequest,
    job_service_client::JobServiceClient,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::Served;

on_each_database!(jobs_are_listed_run_and_paused);

const JOB: JobSpec = JobSpec { name: "sweep", description: "Sweeps.", period: Duration::from_secs(100_000) };

async fn jobs_are_listed_run_and_paused(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut jobs = JobServiceClient::new(served.of("stan").await?);
    let term = served.app.lead("one").await?.unwrap();
    served.app.set_jobs(term, &[JOB]).await?;
    for _ in 0..3 {
        jobs.run_job(RunJobRequest { name: "sweep".to_owned() }).await?;
        let (begun, _) = served.app.begin_due_jobs(term, "one", &[JOB]).await?;
        served.app.end_job(&begun[0], &Ok("swept 7".to_owned())).await?;
    }
    let paused = jobs.pause_job(PauseJobRequest { name: "sweep".to_owned() }).await?.into_inner().job.unwrap();
    assert!(paused.paused && paused.description == "Sweeps." && paused.period.unwrap().seconds == 100_000);
    let last = paused.last_run.unwrap();
    assert_eq!((last.state(), &*last.message, &*last.server), (JobRunState::Done, "swept 7", "one"));
    assert_eq!(jobs.list_jobs(ListJobsRequest {}).await?.into_inner().jobs.len(), 1);
    let resumed = jobs.resume_job(ResumeJobRequest { name: "sweep".to_owned() }).await?.into_inner().job.unwrap();
    assert!(!resumed.paused);

    let first = ListJobRunsRequest { name: "sweep".to_owned(), page_size: 2, page_token: String::new() };
    let page = jobs.list_job_runs(first.clone()).await?.into_inner();
    assert_eq!(page.runs[0].id, last.id);
    let rest = jobs.list_job_runs(ListJobRunsRequest { page_token: page.next_page_token, ..first }).await?.into_inner();
    assert_eq!((page.runs.len(), rest.runs.len(), &*rest.next_page_token), (2, 1, ""));
    let unknown = jobs.run_job(RunJobRequest { name: "x".to_owned() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    Ok(())
}
