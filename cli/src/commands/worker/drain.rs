//! `sproutctl worker drain`

use sprout_client::{proto::worker::DrainWorkerRequest, retry};

use crate::{args::worker::Which, context::Context, failure::Failure, output::worker::WorkerView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let request = DrainWorkerRequest { id: args.id.clone() };
        connection.workers().drain_worker(request).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let worker = answer.into_inner().worker.ok_or(Failure::Incomplete("worker"))?;
    context.out.card(&WorkerView::from(worker))
}
