//! Methods on tasks: what clients call a task is a workflow here.

use serde_json::Value;
use sprout_client::proto::workflow::{WatchWorkflowRequest, Workflow, WorkflowState};

use super::{Call, args::Args, failure::Failure, method::Answer};

pub(super) async fn finished(call: &Call, args: &Args) -> Answer {
    Ok(get(call, args).await?.finished_at.is_some().into())
}

pub(super) async fn result(call: &Call, args: &Args) -> Answer {
    let workflow = get(call, args).await?;
    match workflow.state() {
        WorkflowState::Succeeded => Ok(true.into()),
        WorkflowState::Failed => Err(Failure::exception("Exception", workflow.error)),
        WorkflowState::Cancelled => Err(Failure::exception("Exception", "the task was ended by request")),
        WorkflowState::Pending | WorkflowState::Running | WorkflowState::Unspecified => Ok(Value::Null),
    }
}

/// The workflow as it is now: the first that a watch tells, which is open to all who see what it is about.
async fn get(call: &Call, args: &Args) -> Result<Workflow, Failure> {
    let (connection, id) = (call.connection()?, args.number("task_id")?);
    let watch = connection.workflows().watch_workflow(WatchWorkflowRequest { id }).await;
    let mut stream = watch.map_err(|status| connection.explain(status))?.into_inner();
    let first = stream.message().await.map_err(|status| connection.explain(status))?;
    first.and_then(|message| message.workflow).ok_or_else(|| Failure::does_not_exist("Task"))
}
