//! `sproutctl task cancel`

use sprout_client::proto::task::CancelTaskRequest;

use super::task_of;
use crate::{args::task::Which, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Sent once: a second one could meet the next try.
    let answer = connection.tasks().cancel_task(CancelTaskRequest { id: args.id }).await;
    let task = answer.map_err(|status| connection.explain(status))?.into_inner().task;
    context.out.card(&task_of(task)?)
}
