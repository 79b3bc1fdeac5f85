//! `sproutctl worker remove`

use std::cell::Cell;

use sprout_client::{proto::worker::RemoveWorkerRequest, retry};

use super::get;
use crate::{args::worker::Remove, context::Context, failure::Failure, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Remove) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.which.id;
    if !args.yes {
        let worker = get::get(&connection, id.clone()).await?;
        let question = format!("Remove worker {id} ({}, runs {} tasks)?", worker.state(), worker.running);
        prompt::confirm(context.out, false, &question, "nothing was removed")?;
    }
    let is_repeated = Cell::new(false);
    retry(async || {
        let is_repeated = is_repeated.replace(true);
        let request = RemoveWorkerRequest { id: id.clone() };
        match connection.workers().remove_worker(request).await.map_err(|status| connection.explain(status)) {
            // The answer of the first try was lost on its way.
            Err(error) if is_repeated && error.code() == sprout_client::Code::NotFound => Ok(()),
            done => done.map(drop),
        }
    })
    .await?;
    context.out.note(&format!("worker {id} is removed; its credentials are void, and what it ran is given to others"));
    Ok(())
}
