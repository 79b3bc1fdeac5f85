//! `sproutctl job pause`

use sprout_client::{proto::job::PauseJobRequest, retry};

use crate::{args::job::Which, context::Context, failure::Failure, output::job::JobView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let request = PauseJobRequest { name: args.name.clone() };
        connection.jobs().pause_job(request).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let job = answer.into_inner().job.ok_or(Failure::Incomplete("job"))?;
    context.out.card(&JobView::from(job))
}
