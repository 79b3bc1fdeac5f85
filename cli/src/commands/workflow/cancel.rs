//! `sproutctl workflow cancel`

use sprout_client::{proto::workflow::CancelWorkflowRequest, retry};

use super::{get, workflow_of};
use crate::{args::workflow::Cancel, context::Context, failure::Failure, output::workflow::WorkflowView, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Cancel) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.which.id;
    if !args.yes {
        let workflow = get::get(&connection, id).await?;
        if workflow.has_ended() {
            context.out.note(&format!("workflow {id} has ended already; there is nothing to cancel"));
            return context.out.card(&workflow);
        }
        let question = format!("Cancel workflow {id} ({})?", workflow.what());
        prompt::confirm(context.out, false, &question, "nothing was cancelled")?;
    }
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let cancelled = connection.workflows().cancel_workflow(CancelWorkflowRequest { id }).await;
        cancelled.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&WorkflowView::from(workflow_of(answer.into_inner().workflow)?))
}
