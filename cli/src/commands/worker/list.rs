//! `sproutctl worker list`

use std::time::Duration;

use sprout_client::{ClientError, Connection, proto::worker::ListWorkersRequest};

use crate::{args::worker::List, context::Context, failure::Failure, output::worker::WorkerView};

/// Pause between two looks of --watch.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let mut workers = list(&connection).await?;
    if !args.watch {
        return context.out.list(&workers);
    }
    let mut is_lost = false;
    loop {
        if !is_lost {
            context.out.again(&workers)?;
        }
        tokio::time::sleep(PAUSE).await;
        match list(&connection).await {
            Ok(now) => (workers, is_lost) = (now, false),
            Err(error) if error.is_unavailable() => {
                if !std::mem::replace(&mut is_lost, true) {
                    context.out.note(&format!("connection lost ({error}); reconnecting …"));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn list(connection: &Connection) -> Result<Vec<WorkerView>, ClientError> {
    let answer = connection.workers().list_workers(ListWorkersRequest {}).await;
    let workers = answer.map_err(|status| connection.explain(status))?.into_inner().workers;
    Ok(workers.into_iter().map(WorkerView::from).collect())
}
