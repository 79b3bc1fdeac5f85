//! `sproutctl task get`

use sprout_client::proto::task::GetTaskRequest;

use super::task_of;
use crate::{args::task::Which, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.tasks().get_task(GetTaskRequest { id: args.id }).await;
    let task = answer.map_err(|status| connection.explain(status))?.into_inner().task;
    context.out.card(&task_of(task)?)
}
