//! `sproutctl appliance start`, `stop`, `suspend`, `resume`, `reboot`, `rename`, `reset`, `attach-disk` and `detach-disk`: begun, and followed to the end.

use sprout_client::{
    Connection, Watch, Watched,
    proto::{
        appliance::{
            Appliance, AttachDiskRequest, DetachDiskRequest, RebootApplianceRequest, RenameApplianceRequest,
            ResetApplianceRequest, ResumeApplianceRequest, StartApplianceRequest, StopApplianceRequest,
            SuspendApplianceRequest,
        },
        workflow::{WatchWorkflowResponse, WorkflowState},
    },
    retry,
};

use super::{appliance_of, find};
use crate::{
    args::operate::{AttachDisk, Operate, Rename, Reset, Wait},
    commands::wait::Bound,
    context::Context,
    failure::Failure,
    output::{appliance::ApplianceView, progress::Progress},
    prompt,
};

/// The appliance, and the workflow that does it.
type Begun = (Option<Appliance>, Option<u64>);

/// One call, again where its answer was lost: repeated, it is the one that is under way.
macro_rules! ask {
    ($connection:expr, $method:ident, $request:expr) => {{
        let answer = retry(async || {
            let begun = $connection.appliances().$method($request).await;
            begun.map_err(|status| $connection.explain(status))
        });
        let answer = answer.await?.into_inner();
        (answer.appliance, answer.workflow_id)
    }};
}

pub(crate) async fn start(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, start_appliance, StartApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "start").await
}

pub(crate) async fn stop(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, stop_appliance, StopApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "stop").await
}

pub(crate) async fn suspend(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, suspend_appliance, SuspendApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "suspend").await
}

pub(crate) async fn resume(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, resume_appliance, ResumeApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "resume").await
}

pub(crate) async fn reboot(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, reboot_appliance, RebootApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "reboot").await
}

pub(crate) async fn rename(context: &Context<'_>, args: Rename) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let request = RenameApplianceRequest { id: appliance.id, name: args.name };
    let begun = ask!(connection, rename_appliance, request.clone());
    follow(context, &connection, begun, args.wait, "rename").await
}

pub(crate) async fn reset(context: &Context<'_>, args: Reset) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let question =
        format!("Delete all there is of appliance {} ({}), and deploy it anew?", appliance.id, appliance.name);
    prompt::confirm(context.out, args.yes, &question, "nothing was deleted")?;
    let begun = ask!(connection, reset_appliance, ResetApplianceRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "reset").await
}

pub(crate) async fn attach_disk(context: &Context<'_>, args: AttachDisk) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let request = AttachDiskRequest { id: appliance.id, size_mib: args.size_mib };
    let begun = ask!(connection, attach_disk, request);
    follow(context, &connection, begun, args.wait, "attaching the disk").await
}

pub(crate) async fn detach_disk(context: &Context<'_>, args: Operate) -> Result<(), Failure> {
    let (connection, appliance) = found(context, &args.which.appliance).await?;
    let begun = ask!(connection, detach_disk, DetachDiskRequest { id: appliance.id });
    follow(context, &connection, begun, args.wait, "detaching the disk").await
}

async fn found(context: &Context<'_>, typed: &str) -> Result<(Connection, ApplianceView), Failure> {
    let connection = context.connect()?;
    let appliance = find(&connection, typed).await?;
    Ok((connection, appliance))
}

/// Waits for the end of what was begun, unless told not to, and prints the appliance as it is then.
async fn follow(
    context: &Context<'_>,
    connection: &Connection,
    (appliance, workflow): Begun,
    wait: Wait,
    what: &str,
) -> Result<(), Failure> {
    let appliance = appliance_of(appliance)?;
    let Some(workflow) = workflow else {
        context.out.note(&format!("{} is so already: there was nothing to do", appliance.name));
        return context.out.card(&appliance);
    };
    let id = appliance.id;
    if wait.no_wait {
        context.out.note(&format!(
            "{what} of {} is under way as workflow {workflow}; `sproutctl appliance get {id}` shows how it gets on",
            appliance.name
        ));
        return context.out.card(&appliance);
    }
    let mut progress = Progress::new(context.out, false);
    let bound = Bound {
        timeout: wait.timeout,
        late: format!("{what} of {} has not ended yet", appliance.name),
        hint: format!("it goes on as workflow {workflow}; `sproutctl appliance get {id}` shows how it gets on"),
    };
    let ended = bound.on(until_ended(connection, &mut progress, workflow)).await;
    progress.finish();
    outcome(&appliance.name, what, id, ended?)?;
    context.out.card(&find(connection, &id.to_string()).await?)
}

/// The workflow's last word.
pub(crate) async fn until_ended(
    connection: &Connection,
    progress: &mut Progress<'_>,
    workflow: u64,
) -> Result<WatchWorkflowResponse, Failure> {
    let mut watch = Watch::workflow(connection, workflow);
    let mut last = None;
    let mut said = String::new();
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(now) => {
                let line = line(&now);
                if line != said && !line.is_empty() {
                    progress.note(&line);
                    said = line;
                }
                last = Some(now);
            }
            Watched::Lost(error) => progress.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => progress.note("connected again"),
        }
    }
    last.ok_or(Failure::Incomplete("workflow"))
}

/// Where it is: the step, and what that says.
fn line(now: &WatchWorkflowResponse) -> String {
    let step = now.workflow.as_ref().map(|workflow| workflow.step.as_str()).unwrap_or_default();
    let status = now.tasks.iter().find(|task| task.step == step).map(|task| task.status.as_str()).unwrap_or_default();
    let separator = if status.is_empty() { "" } else { ": " };
    format!("{step}{separator}{status}")
}

fn outcome(name: &str, what: &str, id: u64, ended: WatchWorkflowResponse) -> Result<(), Failure> {
    let workflow = ended.workflow.ok_or(Failure::Incomplete("workflow"))?;
    let message = match workflow.state() {
        WorkflowState::Succeeded => return Ok(()),
        WorkflowState::Cancelled => format!("{what} of {name} was cancelled"),
        _ => format!("{what} of {name} failed: {}", workflow.error),
    };
    let hint =
        format!("`sproutctl appliance get {id}` shows how it is now, `sproutctl appliance logs {id}` what was done");
    Err(Failure::Outcome { message, hint })
}
