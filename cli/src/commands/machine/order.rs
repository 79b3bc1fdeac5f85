//! `sproutctl machine start`, `stop` and `delete`: begun, and followed to the end.

use sprout_client::{
    Connection,
    proto::{
        provider::{DeleteMachineRequest, StartMachineRequest, StopMachineRequest},
        workflow::{WatchWorkflowResponse, Workflow, WorkflowState},
    },
    retry,
};

use crate::{
    args::{
        machine::{Delete, Power, Which},
        operate::Wait,
    },
    commands::{appliance::operate::until_ended, wait::Bound},
    context::Context,
    failure::Failure,
    output::{progress::Progress, workflow::WorkflowView},
    prompt,
};

/// One call, again where its answer was lost: repeated, it is the one that is under way.
macro_rules! ask {
    ($connection:expr, $method:ident, $request:expr) => {{
        let answer = retry(async || {
            let begun = $connection.providers().$method($request).await;
            begun.map_err(|status| $connection.explain(status))
        });
        answer.await?.into_inner().workflow_id
    }};
}

pub(super) async fn start(context: &Context<'_>, args: Power) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Which { provider, name } = &args.which;
    let request = StartMachineRequest { provider: provider.clone(), name: name.clone() };
    let workflow = ask!(connection, start_machine, request.clone());
    follow(context, &connection, workflow, args.wait, &format!("start of {name} on {provider}")).await
}

pub(super) async fn stop(context: &Context<'_>, args: Power) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Which { provider, name } = &args.which;
    let request = StopMachineRequest { provider: provider.clone(), name: name.clone() };
    let workflow = ask!(connection, stop_machine, request.clone());
    follow(context, &connection, workflow, args.wait, &format!("stop of {name} on {provider}")).await
}

pub(super) async fn delete(context: &Context<'_>, args: Delete) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Which { provider, name } = &args.which;
    let ask = || {
        let hint = format!("repeat the command with --confirm {name}");
        prompt::retype(context.out, &format!("Delete {name} on {provider}?"), &hint)
    };
    let confirm_name = args.confirm.map_or_else(ask, Ok)?;
    if confirm_name != *name {
        return Err(Failure::Declined(format!("that is not {name}; nothing was deleted")));
    }
    let request = DeleteMachineRequest { provider: provider.clone(), name: name.clone(), confirm_name };
    let workflow = ask!(connection, delete_machine, request.clone());
    follow(context, &connection, workflow, args.wait, &format!("deletion of {name} on {provider}")).await
}

/// Waits for the end of what was begun, unless told not to, and prints its workflow.
async fn follow(
    context: &Context<'_>,
    connection: &Connection,
    workflow: u64,
    wait: Wait,
    what: &str,
) -> Result<(), Failure> {
    let hint = format!("`sproutctl workflow get {workflow}` shows how it gets on");
    if wait.no_wait {
        context.out.note(&format!("{what} is under way as workflow {workflow}; {hint}"));
        let get = sprout_client::proto::workflow::GetWorkflowRequest { id: workflow };
        let answer = connection.workflows().get_workflow(get).await.map_err(|status| connection.explain(status))?;
        return context.out.card(&WorkflowView::from(found(answer.into_inner().workflow)?));
    }
    let mut progress = Progress::new(context.out, false);
    let bound = Bound {
        timeout: wait.timeout,
        late: format!("{what} has not ended yet"),
        hint: format!("it goes on as workflow {workflow}; {hint}"),
    };
    let ended = bound.on(until_ended(connection, &mut progress, workflow)).await;
    progress.finish();
    let WatchWorkflowResponse { workflow: ended, tasks } = ended?;
    let ended = found(ended)?;
    match ended.state() {
        WorkflowState::Succeeded => context.out.card(&WorkflowView::with_tasks(ended, tasks)),
        WorkflowState::Cancelled => Err(Failure::Outcome { message: format!("{what} was cancelled"), hint }),
        _ => Err(Failure::Outcome { message: format!("{what} failed: {}", ended.error), hint }),
    }
}

fn found(workflow: Option<Workflow>) -> Result<Workflow, Failure> {
    workflow.ok_or(Failure::Incomplete("workflow"))
}
