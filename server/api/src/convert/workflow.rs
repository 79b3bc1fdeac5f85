//! Workflows on the wire.

use sprout_app::ports::WorkflowFilter;
use sprout_domain::{
    ApplianceId, Error, WorkflowId,
    workflow::{Subject, Workflow, WorkflowKind, WorkflowState},
};
use sprout_proto::workflow as proto;

use super::{
    Wire, moment, optional_id, states,
    task::{appliance, some},
};

impl TryFrom<Wire<proto::ListWorkflowsRequest>> for WorkflowFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListWorkflowsRequest>) -> Result<Self, Error> {
        let unknown = |_| Error::invalid("kind", "there is no such kind of workflow; use the kinds of the protos");
        let kind = proto::WorkflowKind::try_from(request.kind).map_err(unknown)?;
        Ok(Self {
            states: states::<proto::WorkflowState, WorkflowState>(request.states)?,
            kind: Wire(kind).into(),
            provider: some(request.provider),
            appliance_id: optional_id("appliance_id", request.appliance_id)?.map(ApplianceId),
            parent_id: optional_id("parent_id", request.parent_id)?.map(WorkflowId),
        })
    }
}

impl From<Wire<Workflow>> for proto::Workflow {
    fn from(Wire(workflow): Wire<Workflow>) -> Self {
        Self {
            id: workflow.id.into(),
            kind: proto::WorkflowKind::from(Wire(workflow.kind)).into(),
            state: proto::WorkflowState::from(Wire(workflow.state)).into(),
            provider: workflow.provider.map(|key| key.0).unwrap_or_default(),
            appliance_id: appliance(&workflow.subject),
            parent_id: workflow.parent_id.map(Into::into),
            child_count: workflow.child_count,
            open_child_count: workflow.open_child_count,
            error: workflow.error,
            created_at: Some(moment(workflow.created_at)),
            finished_at: workflow.finished_at.map(moment),
            step: workflow.step.map(|step| step.as_str().to_owned()).unwrap_or_default(),
            machine: machine(workflow.subject),
        }
    }
}

/// The machine that something is about.
fn machine(subject: Subject) -> Option<String> {
    match subject {
        Subject::Machine(target) => Some(target.name),
        _ => None,
    }
}

impl From<Wire<WorkflowKind>> for proto::WorkflowKind {
    fn from(Wire(kind): Wire<WorkflowKind>) -> Self {
        match kind {
            WorkflowKind::Deploy => Self::Deploy,
            WorkflowKind::Kill => Self::Kill,
            WorkflowKind::Prove => Self::Prove,
            WorkflowKind::CheckProvider => Self::CheckProvider,
            WorkflowKind::CheckProviders => Self::CheckProviders,
            WorkflowKind::Ping => Self::Ping,
            WorkflowKind::Pings => Self::Pings,
            WorkflowKind::Start => Self::Start,
            WorkflowKind::Stop => Self::Stop,
            WorkflowKind::Suspend => Self::Suspend,
            WorkflowKind::Resume => Self::Resume,
            WorkflowKind::Reboot => Self::Reboot,
            WorkflowKind::Rename => Self::Rename,
            WorkflowKind::Reset => Self::Reset,
            WorkflowKind::AttachDisk => Self::AttachDisk,
            WorkflowKind::DetachDisk => Self::DetachDisk,
            WorkflowKind::DeleteTemplate => Self::DeleteTemplate,
            WorkflowKind::Refresh => Self::Refresh,
            WorkflowKind::Refreshes => Self::Refreshes,
            WorkflowKind::CleanUp => Self::CleanUp,
            WorkflowKind::Prepare => Self::Prepare,
            WorkflowKind::DeployUpdated => Self::DeployUpdated,
            WorkflowKind::StartMachine => Self::StartMachine,
            WorkflowKind::StopMachine => Self::StopMachine,
            WorkflowKind::DeleteMachine => Self::DeleteMachine,
        }
    }
}

impl From<Wire<proto::WorkflowKind>> for Option<WorkflowKind> {
    fn from(Wire(kind): Wire<proto::WorkflowKind>) -> Self {
        match kind {
            proto::WorkflowKind::Deploy => Some(WorkflowKind::Deploy),
            proto::WorkflowKind::Kill => Some(WorkflowKind::Kill),
            proto::WorkflowKind::Prove => Some(WorkflowKind::Prove),
            proto::WorkflowKind::CheckProvider => Some(WorkflowKind::CheckProvider),
            proto::WorkflowKind::CheckProviders => Some(WorkflowKind::CheckProviders),
            proto::WorkflowKind::Ping => Some(WorkflowKind::Ping),
            proto::WorkflowKind::Pings => Some(WorkflowKind::Pings),
            proto::WorkflowKind::Start => Some(WorkflowKind::Start),
            proto::WorkflowKind::Stop => Some(WorkflowKind::Stop),
            proto::WorkflowKind::Suspend => Some(WorkflowKind::Suspend),
            proto::WorkflowKind::Resume => Some(WorkflowKind::Resume),
            proto::WorkflowKind::Reboot => Some(WorkflowKind::Reboot),
            proto::WorkflowKind::Rename => Some(WorkflowKind::Rename),
            proto::WorkflowKind::Reset => Some(WorkflowKind::Reset),
            proto::WorkflowKind::AttachDisk => Some(WorkflowKind::AttachDisk),
            proto::WorkflowKind::DetachDisk => Some(WorkflowKind::DetachDisk),
            proto::WorkflowKind::DeleteTemplate => Some(WorkflowKind::DeleteTemplate),
            proto::WorkflowKind::Refresh => Some(WorkflowKind::Refresh),
            proto::WorkflowKind::Refreshes => Some(WorkflowKind::Refreshes),
            proto::WorkflowKind::CleanUp => Some(WorkflowKind::CleanUp),
            proto::WorkflowKind::Prepare => Some(WorkflowKind::Prepare),
            proto::WorkflowKind::DeployUpdated => Some(WorkflowKind::DeployUpdated),
            proto::WorkflowKind::StartMachine => Some(WorkflowKind::StartMachine),
            proto::WorkflowKind::StopMachine => Some(WorkflowKind::StopMachine),
            proto::WorkflowKind::DeleteMachine => Some(WorkflowKind::DeleteMachine),
            proto::WorkflowKind::Unspecified => None,
        }
    }
}

impl From<Wire<WorkflowState>> for proto::WorkflowState {
    fn from(Wire(state): Wire<WorkflowState>) -> Self {
        match state {
            WorkflowState::Pending => Self::Pending,
            WorkflowState::Running => Self::Running,
            WorkflowState::Succeeded => Self::Succeeded,
            WorkflowState::Failed => Self::Failed,
            WorkflowState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Wire<proto::WorkflowState>> for Option<WorkflowState> {
    fn from(Wire(state): Wire<proto::WorkflowState>) -> Self {
        match state {
            proto::WorkflowState::Unspecified => None,
            proto::WorkflowState::Pending => Some(WorkflowState::Pending),
            proto::WorkflowState::Running => Some(WorkflowState::Running),
            proto::WorkflowState::Succeeded => Some(WorkflowState::Succeeded),
            proto::WorkflowState::Failed => Some(WorkflowState::Failed),
            proto::WorkflowState::Cancelled => Some(WorkflowState::Cancelled),
        }
    }
}
