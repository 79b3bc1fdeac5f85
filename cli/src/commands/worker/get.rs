//! `sproutctl worker get`

use sprout_client::{Connection, proto::worker::GetWorkerRequest};

use crate::{args::worker::Which, context::Context, failure::Failure, output::worker::WorkerView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    context.out.card(&get(&context.connect()?, args.id).await?)
}

pub(super) async fn get(connection: &Connection, id: String) -> Result<WorkerView, Failure> {
    let answer = connection.workers().get_worker(GetWorkerRequest { id }).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    let worker = answer.worker.ok_or(Failure::Incomplete("worker"))?;
    Ok(WorkerView::with_tasks(worker, answer.tasks))
}
