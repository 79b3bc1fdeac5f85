//! `sproutctl job history`

use sprout_client::proto::job::ListJobRunsRequest;

use crate::{args::job::History, commands::page, context::Context, failure::Failure, output::job::JobRunView};

pub(crate) async fn run(context: &Context<'_>, args: History) -> Result<(), Failure> {
    let connection = context.connect()?;
    let runs = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListJobRunsRequest { name: args.which.name.clone(), page_size, page_token };
        let page = connection.jobs().list_job_runs(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.runs, page.next_page_token))
    })
    .await?;
    context.out.list(&runs.into_iter().map(JobRunView::from).collect::<Vec<_>>())
}
