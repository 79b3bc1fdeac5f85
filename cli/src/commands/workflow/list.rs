//! `sproutctl workflow list`

use sprout_client::proto::workflow::{ListWorkflowsRequest, WorkflowKind, WorkflowState};

use crate::{
    args::workflow::{Kind, List, State},
    commands::page,
    context::Context,
    failure::Failure,
    output::workflow::WorkflowView,
};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let states: Vec<i32> = args.state.iter().map(|state| state_to_proto(*state).into()).collect();
    let workflows = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListWorkflowsRequest {
            states: states.clone(),
            kind: args.kind.map_or(WorkflowKind::Unspecified, kind_to_proto).into(),
            provider: args.provider.clone().unwrap_or_default(),
            appliance_id: args.appliance,
            parent_id: args.parent,
            page_size,
            page_token,
        };
        let page = connection.workflows().list_workflows(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.workflows, page.next_page_token))
    })
    .await?;
    context.out.list(&workflows.into_iter().map(WorkflowView::from).collect::<Vec<_>>())
}

fn state_to_proto(state: State) -> WorkflowState {
    match state {
        State::Pending => WorkflowState::Pending,
        State::Running => WorkflowState::Running,
        State::Succeeded => WorkflowState::Succeeded,
        State::Failed => WorkflowState::Failed,
        State::Cancelled => WorkflowState::Cancelled,
    }
}

fn kind_to_proto(kind: Kind) -> WorkflowKind {
    match kind {
        Kind::Deploy => WorkflowKind::Deploy,
        Kind::Kill => WorkflowKind::Kill,
        Kind::CheckProvider => WorkflowKind::CheckProvider,
        Kind::CheckProviders => WorkflowKind::CheckProviders,
        Kind::Ping => WorkflowKind::Ping,
        Kind::Pings => WorkflowKind::Pings,
        Kind::Start => WorkflowKind::Start,
        Kind::Stop => WorkflowKind::Stop,
        Kind::Suspend => WorkflowKind::Suspend,
        Kind::Resume => WorkflowKind::Resume,
        Kind::Reboot => WorkflowKind::Reboot,
        Kind::Rename => WorkflowKind::Rename,
        Kind::Reset => WorkflowKind::Reset,
        Kind::AttachDisk => WorkflowKind::AttachDisk,
        Kind::DetachDisk => WorkflowKind::DetachDisk,
        Kind::DeleteTemplate => WorkflowKind::DeleteTemplate,
        Kind::Refresh => WorkflowKind::Refresh,
        Kind::Refreshes => WorkflowKind::Refreshes,
        Kind::CleanUp => WorkflowKind::CleanUp,
        Kind::Prepare => WorkflowKind::Prepare,
        Kind::DeployUpdated => WorkflowKind::DeployUpdated,
        Kind::StartMachine => WorkflowKind::StartMachine,
        Kind::StopMachine => WorkflowKind::StopMachine,
        Kind::DeleteMachine => WorkflowKind::DeleteMachine,
    }
}
