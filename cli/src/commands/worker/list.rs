//! `sproutctl worker list`

use sprout_client::proto::worker::ListWorkersRequest;

use crate::{context::Context, failure::Failure, output::worker::WorkerView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.workers().list_workers(ListWorkersRequest {}).await;
    let workers = answer.map_err(|status| connection.explain(status))?.into_inner().workers;
    context.out.list(&workers.into_iter().map(WorkerView::from).collect::<Vec<_>>())
}
