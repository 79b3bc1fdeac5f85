//! `sproutctl job list`

use sprout_client::proto::job::ListJobsRequest;

use crate::{context::Context, failure::Failure, output::job::JobView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.jobs().list_jobs(ListJobsRequest {}).await;
    let jobs = answer.map_err(|status| connection.explain(status))?.into_inner().jobs;
    context.out.list(&jobs.into_iter().map(JobView::from).collect::<Vec<_>>())
}
