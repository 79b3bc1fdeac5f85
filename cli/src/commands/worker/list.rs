//! `sproutctl worker list`

use std::{future::pending, time::Duration};

use sprout_client::{
    ClientError, Connection, Watch, Watched,
    proto::{
        event::{EventKind, WatchRequest},
        worker::ListWorkersRequest,
    },
};
use tokio::time::{Instant, sleep_until};

use crate::{args::worker::List, context::Context, failure::Failure, output::worker::WorkerView};

/// What makes a list look otherwise: workers come, go and are drained, and get and end what they run.
const CHANGES: [EventKind; 4] =
    [EventKind::WorkerState, EventKind::StepStarted, EventKind::StepDone, EventKind::StepFailed];
/// What changes together is one change: workers that come or go, and what they run, of which there is much.
const OF_WORKERS: Duration = Duration::from_millis(50);
const OF_STEPS: Duration = Duration::from_secs(1);

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    if !args.watch {
        return context.out.list(&list(&connection).await?);
    }
    let kinds = CHANGES.map(i32::from).into();
    // Told from before the first look on, so that no change falls between the two.
    let mut watch = Watch::events(&connection, WatchRequest { kinds, ..WatchRequest::default() });
    let mut look_at: Option<Instant> = None;
    loop {
        let looking = async {
            match look_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            watched = watch.next() => match watched {
                None => return Ok(()),
                Some(watched) => match watched? {
                    Watched::Message(message) => {
                        // The first one has no event.
                        let is_step = message.event.is_some_and(|event| event.kind() != EventKind::WorkerState);
                        let at = Instant::now() + if is_step { OF_STEPS } else { OF_WORKERS };
                        look_at = Some(look_at.map_or(at, |known| known.min(at)));
                    }
                    Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
                    Watched::Back => {}
                },
            },
            () = looking => match list(&connection).await {
                Ok(workers) => {
                    context.out.again(&workers)?;
                    look_at = None;
                }
                // The watch tells of it; what was missed is looked at again.
                Err(error) if error.is_unavailable() => look_at = Some(Instant::now() + OF_STEPS),
                Err(error) => return Err(error.into()),
            },
        }
    }
}

async fn list(connection: &Connection) -> Result<Vec<WorkerView>, ClientError> {
    let answer = connection.workers().list_workers(ListWorkersRequest {}).await;
    let workers = answer.map_err(|status| connection.explain(status))?.into_inner().workers;
    Ok(workers.into_iter().map(WorkerView::from).collect())
}
