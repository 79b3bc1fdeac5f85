//! `sproutctl workflow …`, and how a workflow is waited for.

pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod ping;

use sprout_client::{
    ClientError, Connection,
    proto::workflow::{GetWorkflowRequest, Workflow},
};

use crate::{commands::wait, failure::Failure, output::progress::Progress};

/// Waits until a workflow has ended, and returns it. `seen` gets it as it is, at each look.
pub(super) async fn ended(
    connection: &Connection,
    progress: &mut Progress<'_>,
    id: u64,
    mut seen: impl AsyncFnMut(&mut Progress<'_>, &Workflow) -> Result<(), ClientError>,
) -> Result<Workflow, Failure> {
    wait::look(progress, async |progress| {
        let answer = connection.workflows().get_workflow(GetWorkflowRequest { id }).await;
        let workflow = answer.map_err(|status| connection.explain(status))?.into_inner().workflow;
        match workflow {
            Some(workflow) => {
                seen(progress, &workflow).await?;
                Ok(workflow.finished_at.is_some().then_some(workflow))
            }
            None => Ok(None),
        }
    })
    .await
}

/// The workflow of an answer.
pub(super) fn workflow_of(workflow: Option<Workflow>) -> Result<Workflow, Failure> {
    workflow.ok_or(Failure::Incomplete("workflow"))
}
