//! Tasks on the wire.

use sprout_app::ports::TaskFilter;
use sprout_domain::{
    Error, WorkflowId,
    workflow::{Lane, Subject, Task, TaskState},
};
use sprout_proto::task as proto;

use super::{Wire, moment, optional_id, states};

impl TryFrom<Wire<proto::ListTasksRequest>> for TaskFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListTasksRequest>) -> Result<Self, Error> {
        Ok(Self {
            states: states::<proto::TaskState, TaskState>(request.states)?,
            worker: some(request.worker_id),
            provider: some(request.provider),
            workflow: optional_id("workflow_id", request.workflow_id)?.map(WorkflowId),
        })
    }
}

/// An id that is a text; an empty one is none.
pub(super) fn some<T: for<'a> From<&'a str>>(id: String) -> Option<T> {
    if id.is_empty() { None } else { Some(id.as_str().into()) }
}

impl From<Wire<Task>> for proto::Task {
    fn from(Wire(task): Wire<Task>) -> Self {
        Self {
            id: task.id.into(),
            workflow_id: task.workflow_id.into(),
            workflow: task.workflow.as_str().to_owned(),
            step: task.step.as_str().to_owned(),
            position: task.position,
            state: proto::TaskState::from(Wire(task.state)).into(),
            lane: proto::Lane::from(Wire(task.lane)).into(),
            provider: task.provider.0,
            appliance_id: appliance(&task.subject),
            attempt: task.attempt,
            epoch: task.epoch.unsigned_abs(), // it counts from 0
            worker_id: task.worker.map(|worker| worker.0).unwrap_or_default(),
            cancel_requested: task.cancel_requested || task.stalled,
            status: task.status,
            error: task.error,
            created_at: Some(moment(task.created_at)),
            due_at: Some(moment(task.due_at)),
            started_at: task.started_at.map(moment),
            progress_at: task.progress_at.map(moment),
            finished_at: task.finished_at.map(moment),
        }
    }
}

/// The appliance that something is about.
pub(super) fn appliance(subject: &Subject) -> Option<u64> {
    match subject {
        Subject::Appliance(id) => Some((*id).into()),
        Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
    }
}

impl From<Wire<Lane>> for proto::Lane {
    fn from(Wire(lane): Wire<Lane>) -> Self {
        match lane {
            Lane::Grant => Self::Grant,
            Lane::Kill => Self::Kill,
            Lane::Provision => Self::Provision,
            Lane::Operate => Self::Operate,
            Lane::Prepare => Self::Prepare,
            Lane::Maintain => Self::Maintain,
        }
    }
}

impl From<Wire<TaskState>> for proto::TaskState {
    fn from(Wire(state): Wire<TaskState>) -> Self {
        match state {
            TaskState::Blocked => Self::Blocked,
            TaskState::Ready => Self::Ready,
            TaskState::Running => Self::Running,
            TaskState::Retrying => Self::Retrying,
            TaskState::Done => Self::Done,
            TaskState::Failed => Self::Failed,
            TaskState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Wire<proto::TaskState>> for Option<TaskState> {
    fn from(Wire(state): Wire<proto::TaskState>) -> Self {
        match state {
            proto::TaskState::Unspecified => None,
            proto::TaskState::Blocked => Some(TaskState::Blocked),
            proto::TaskState::Ready => Some(TaskState::Ready),
            proto::TaskState::Running => Some(TaskState::Running),
            proto::TaskState::Retrying => Some(TaskState::Retrying),
            proto::TaskState::Done => Some(TaskState::Done),
            proto::TaskState::Failed => Some(TaskState::Failed),
            proto::TaskState::Cancelled => Some(TaskState::Cancelled),
        }
    }
}
