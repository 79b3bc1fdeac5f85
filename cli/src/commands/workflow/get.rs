//! `sproutctl workflow get`

use sprout_client::{Connection, proto::workflow::GetWorkflowRequest};

use super::workflow_of;
use crate::{args::workflow::Which, context::Context, failure::Failure, output::workflow::WorkflowView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    context.out.card(&get(&context.connect()?, args.id).await?)
}

pub(super) async fn get(connection: &Connection, id: u64) -> Result<WorkflowView, Failure> {
    let answer = connection.workflows().get_workflow(GetWorkflowRequest { id }).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    Ok(WorkflowView::with_tasks(workflow_of(answer.workflow)?, answer.tasks))
}
