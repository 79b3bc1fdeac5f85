//! `sproutctl catalogue sync`

use sprout_client::{
    proto::{catalogue::SyncRequest, job::JobRunState},
    retry,
};

use super::status::ask;
use crate::{
    args::catalogue::Sync,
    commands::job::run::{ended, latest},
    context::Context,
    failure::Failure,
    output::job::JobView,
};

/// The job that reads catalogues.
const JOB: &str = "catalogue-sync";

pub(super) async fn run(context: &Context<'_>, args: Sync) -> Result<(), Failure> {
    let connection = context.connect()?;
    let last = if args.wait { latest(&connection, JOB).await?.map_or(0, |run| run.id) } else { 0 };
    // Asked for twice it runs once, unless it began in between; then it finds nothing to do.
    let answer =
        retry(async || connection.catalogue().sync(SyncRequest {}).await.map_err(|status| connection.explain(status)))
            .await?;
    if !args.wait {
        let job = answer.into_inner().job.ok_or(Failure::Incomplete("job"))?;
        context.out.note("they are being read; `sproutctl catalogue status` shows what was found");
        return context.out.card(&JobView::from(job));
    }
    let run = ended(&connection, JOB, last, args.timeout).await?;
    let failed = run.state() != JobRunState::Done;
    context.out.card(&ask(&connection).await?)?;
    if failed {
        return Err(Failure::Outcome {
            message: format!("not all catalogues were read whole: {}", run.message),
            hint: "what was read is used; the rest is read when the job catalogue-sync is due next".to_owned(),
        });
    }
    Ok(())
}
