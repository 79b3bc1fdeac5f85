//! Workflows: durable chains of steps on one subject, and how their steps are tried.
//!
//! ```text
//! workflow: pending ─first step given out→ running ─last step done→ succeeded
//!           pending, running ─step failed for good→ failed      ─someone ended it→ cancelled
//! task:     blocked ─its turn→ ready ─given to a worker→ running ─succeeded→ done
//!           running ─failed, tried again→ retrying ─due→ running   running ─failed for good→ failed
//!           running ─worker lost it→ ready         any but done, failed ─workflow ended→ cancelled
//! ```
//! At most one workflow of an appliance has steps under way; later ones stay pending until it ended.
//!
//! A parent has children instead of steps: it is running from the beginning, and ends with the last of them, `failed` unless all succeeded.

mod step;

use std::fmt;

pub use self::step::{AfterFailure, Policy, StepError, StepErrorReason, StepKind, StepOutput, after_failure};
use crate::{
    ApplianceId, ProviderKey, TaskId, TemplateId, Timestamp, UserId, WorkerId, WorkflowId, machine::order::Target,
};

/// What a workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkflowKind {
    /// Makes an appliance and proves it ready.
    Deploy,
    /// Deletes an appliance and proves it gone.
    Kill,
    /// Proves again that a warm appliance is ready, before it is handed out.
    Prove,
    /// Looks at a provider and its templates.
    CheckProvider,
    /// Looks at all providers: parent of one check each.
    CheckProviders,
    /// A ping to a worker, which touches no provider.
    Ping,
    /// Parent of pings.
    Pings,
    /// Powers an appliance on.
    Start,
    /// Powers an appliance off.
    Stop,
    /// Suspends an appliance.
    Suspend,
    /// Continues a suspended appliance.
    Resume,
    /// Restarts an appliance.
    Reboot,
    /// Gives an appliance another name.
    Rename,
    /// Deploys an appliance anew.
    Reset,
    /// Attaches a disk to an appliance.
    AttachDisk,
    /// Detaches an appliance's disk, and deletes it.
    DetachDisk,
    /// Deletes a template on its provider.
    DeleteTemplate,
    /// Looks at everything on a provider.
    Refresh,
    /// Looks at everything on all providers: parent of one refresh each.
    Refreshes,
    /// Deletes what was left over on a provider.
    CleanUp,
    /// Makes a template of an appliance that is deployed, configured and sealed for it.
    Prepare,
    /// Makes an appliance, brings it up to date, and proves it ready.
    DeployUpdated,
    /// Powers a machine on that is no appliance.
    StartMachine,
    /// Powers a machine off that is no appliance.
    StopMachine,
    /// Deletes a machine that is no appliance.
    DeleteMachine,
}

/// Room that tasks compete in; lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Serving a request from what is warm.
    Grant,
    /// Killing, and whatever else is deleted.
    Kill,
    /// Deploying.
    Provision,
    /// Power operations by request.
    Operate,
    /// Preparing templates.
    Prepare,
    /// Everything else.
    Maintain,
}

/// Where a workflow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkflowState {
    /// No step of it was given out yet.
    Pending,
    /// Under way.
    Running,
    /// All steps done.
    Succeeded,
    /// A step failed for good.
    Failed,
    /// Ended by request.
    Cancelled,
}

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// An earlier step, or an earlier workflow of the subject, comes first.
    Blocked,
    /// Can be given to a worker.
    Ready,
    /// A worker has it.
    Running,
    /// Failed; will be tried again when due.
    Retrying,
    /// Succeeded.
    Done,
    /// Failed for good.
    Failed,
    /// Its workflow ended first.
    Cancelled,
}

impl WorkflowKind {
    /// Its steps, in order.
    pub fn steps(self) -> &'static [StepKind] {
        use StepKind as S;
        match self {
            Self::Deploy => &[S::Clone, S::WaitPresent, S::Tag, S::Start, S::WaitAddress, S::WaitReady],
            Self::Kill => &[S::Stop, S::Delete, S::WaitGone],
            Self::Prove => &[S::WaitReady],
            Self::CheckProvider => &[S::CheckProvider],
            Self::Ping => &[S::Ping],
            Self::CheckProviders | Self::Pings | Self::Refreshes => &[],
            Self::Start => &[S::Start, S::WaitAddress, S::WaitReady],
            Self::Stop | Self::StopMachine => &[S::Stop],
            Self::Suspend => &[S::Suspend],
            Self::Resume => &[S::Resume, S::WaitAddress, S::WaitReady],
            Self::Reboot => &[S::Reboot, S::WaitAddress, S::WaitReady],
            Self::Rename => &[S::Rename],
            Self::Reset => &[
                S::Stop,
                S::Delete,
                S::WaitGone,
                S::Clone,
                S::WaitPresent,
                S::Tag,
                S::Start,
                S::WaitAddress,
                S::WaitReady,
            ],
            Self::AttachDisk => &[S::AttachDisk],
            Self::DetachDisk => &[S::DetachDisk],
            Self::DeleteTemplate => &[S::DeleteTemplate],
            Self::Refresh => &[S::ListMachines],
            Self::CleanUp => &[S::DeleteMachines],
            Self::StartMachine => &[S::Start],
            Self::DeleteMachine => &[S::DeleteMachine],
            Self::DeployUpdated => &[
                S::Clone,
                S::WaitPresent,
                S::Tag,
                S::Start,
                S::WaitAddress,
                S::WaitSsh,
                S::Update,
                S::Reboot,
                S::WaitAddress,
                S::WaitReady,
            ],
            Self::Prepare => &[
                S::Clone,
                S::WaitPresent,
                S::Tag,
                S::Start,
                S::WaitAddress,
                S::WaitSsh,
                S::VerifyVersion,
                S::Configure,
                S::Seal,
                S::Stop,
                S::MakeTemplate,
            ],
        }
    }

    /// It has children instead of steps, and works on no provider itself.
    pub fn is_parent(self) -> bool {
        self.steps().is_empty()
    }

    /// What only one workflow of this kind may have that has not ended: an appliance is killed once, a provider checked once at a time, a
    /// template deleted once, and one thing done at a time to a machine that is no appliance.
    pub fn dedup_key(self, subject: &Subject) -> Option<String> {
        match (self, subject) {
            (Self::Kill, Subject::Appliance(id)) => Some(format!("kill {id}")),
            (Self::CheckProvider, Subject::Provider(key)) => Some(format!("check_provider {key}")),
            (Self::DeleteTemplate, Subject::Template(id)) => Some(format!("delete_template {id}")),
            (Self::CheckProviders, _) => Some("check_providers".to_owned()),
            (Self::Refresh | Self::CleanUp, Subject::Provider(key)) => Some(format!("{self} {key}")),
            (Self::Refreshes, _) => Some("refreshes".to_owned()),
            (_, Subject::Machine(Target { provider, name, .. })) => Some(format!("machine {provider} {name}")),
            _ => None,
        }
    }

    /// It can be ended by request. A kill cannot: nothing may be left behind. Nor can a reset: what it has deleted is nowhere until it has ended.
    /// Nor can a proof, which ends soon and someone waits for. Nor the deletion of a template, which may have been deleted by then. What is done to a machine
    /// that is no appliance can be ended only while no worker is at it.
    pub fn is_cancellable(self) -> bool {
        !matches!(self, Self::Kill | Self::Reset | Self::Prove | Self::DeleteTemplate)
    }

    /// Name in tables, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Kill => "kill",
            Self::Prove => "prove",
            Self::CheckProvider => "check_provider",
            Self::CheckProviders => "check_providers",
            Self::Ping => "ping",
            Self::Pings => "pings",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Reboot => "reboot",
            Self::Rename => "rename",
            Self::Reset => "reset",
            Self::AttachDisk => "attach_disk",
            Self::DetachDisk => "detach_disk",
            Self::DeleteTemplate => "delete_template",
            Self::Refresh => "refresh",
            Self::Refreshes => "refreshes",
            Self::CleanUp => "clean_up",
            Self::Prepare => "prepare",
            Self::DeployUpdated => "deploy_updated",
            Self::StartMachine => "start_machine",
            Self::StopMachine => "stop_machine",
            Self::DeleteMachine => "delete_machine",
        }
    }

    /// It makes an appliance.
    pub fn is_deployment(self) -> bool {
        matches!(self, Self::Deploy | Self::DeployUpdated)
    }

    /// It is about a provider as a whole.
    pub fn is_of_provider(self) -> bool {
        matches!(self, Self::CheckProvider | Self::Refresh | Self::CleanUp)
    }

    /// It is about one machine that is no appliance.
    pub fn is_of_machine(self) -> bool {
        matches!(self, Self::StartMachine | Self::StopMachine | Self::DeleteMachine)
    }

    /// The room its tasks compete in.
    pub fn lane(self) -> Lane {
        match self {
            Self::Deploy | Self::DeployUpdated => Lane::Provision,
            Self::Kill | Self::DeleteTemplate | Self::CleanUp | Self::DeleteMachine => Lane::Kill,
            Self::Prove => Lane::Grant,
            Self::Prepare => Lane::Prepare,
            Self::CheckProvider | Self::CheckProviders | Self::Ping | Self::Pings | Self::Refresh | Self::Refreshes => {
                Lane::Maintain
            }
            Self::Start
            | Self::Stop
            | Self::Suspend
            | Self::Resume
            | Self::Reboot
            | Self::Rename
            | Self::Reset
            | Self::AttachDisk
            | Self::DetachDisk
            | Self::StartMachine
            | Self::StopMachine => Lane::Operate,
        }
    }
}

impl fmt::Display for WorkflowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Lane {
    /// All lanes, the one that goes first first.
    pub const ALL: [Self; 6] = [Self::Grant, Self::Kill, Self::Provision, Self::Operate, Self::Prepare, Self::Maintain];
}

impl WorkflowState {
    /// Nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Name in tables, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TaskState {
    /// Nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What a workflow is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An appliance.
    Appliance(ApplianceId),
    /// A provider.
    Provider(ProviderKey),
    /// A template.
    Template(TemplateId),
    /// A machine that is no appliance.
    Machine(Target),
    /// Nothing beyond itself: a ping, or a parent, whose parts are about something.
    Nothing,
}

/// A durable chain of steps on one subject, or a parent of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// Identity.
    pub id: WorkflowId,
    /// What it does.
    pub kind: WorkflowKind,
    /// Where it is in its life.
    pub state: WorkflowState,
    /// What it is about.
    pub subject: Subject,
    /// Where its tasks work; none for parents.
    pub provider: Option<ProviderKey>,
    /// For whom it is, for fairness; none: for the service itself.
    pub owner_id: Option<UserId>,
    /// The workflow it is a part of.
    pub parent_id: Option<WorkflowId>,
    /// Its parts, of a parent.
    pub child_count: u32,
    /// Parts that have not ended.
    pub open_child_count: u32,
    /// Parts that ended and did not succeed.
    pub failed_child_count: u32,
    /// The step it is at; none if it has ended or has none.
    pub step: Option<StepKind>,
    /// Why it failed; empty otherwise.
    pub error: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// One step of one workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Identity.
    pub id: TaskId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// What that workflow does.
    pub workflow: WorkflowKind,
    /// What it is about.
    pub subject: Subject,
    /// Which step.
    pub step: StepKind,
    /// Its place among the steps, from 0.
    pub position: u32,
    /// Where it is in its life.
    pub state: TaskState,
    /// The room it competes in.
    pub lane: Lane,
    /// The provider it works on.
    pub provider: ProviderKey,
    /// Tries begun.
    pub attempt: u32,
    /// Fencing epoch: rises with every assignment.
    pub epoch: i64,
    /// Who has it, or had it last.
    pub worker: Option<WorkerId>,
    /// It is to be stopped, because its workflow was ended.
    pub cancel_requested: bool,
    /// It is to be stopped and tried again, as if this try had failed: it made no progress, or someone asked for it. `error` says which.
    pub stalled: bool,
    /// From when on it can be given out.
    pub due_at: Timestamp,
    /// What it does just now, or did last, for people.
    pub status: String,
    /// Why the last try failed; empty if none did.
    pub error: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was given out last.
    pub started_at: Option<Timestamp>,
    /// When it was last heard of while it ran.
    pub progress_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
