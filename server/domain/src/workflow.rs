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

use std::{collections::BTreeSet, fmt, time::Duration};

use crate::{
    ApplianceId, ProviderKey, TaskId, TemplateId, Timestamp, UserId, WorkerId, WorkflowId,
    appliance::PowerState,
    group::Endpoint,
    machine::{Listed, order::Target},
    operation::Capability,
    provider::Totals,
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

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Clone the template.
    Clone,
    /// Wait until the provider lists the clone.
    WaitPresent,
    /// Write our tags.
    Tag,
    /// Power on.
    Start,
    /// Wait for an address.
    WaitAddress,
    /// Wait until all probes pass.
    WaitReady,
    /// Power off.
    Stop,
    /// Delete.
    Delete,
    /// Wait until it is proven absent.
    WaitGone,
    /// Look at the provider.
    CheckProvider,
    /// Nothing: proves that tasks reach workers and results come back.
    Ping,
    /// Freeze, keeping the memory.
    Suspend,
    /// Continue what is frozen.
    Resume,
    /// Restart the guest.
    Reboot,
    /// Change the name.
    Rename,
    /// Attach an empty disk.
    AttachDisk,
    /// Detach the disk and delete it.
    DetachDisk,
    /// Delete a template, and see that it is gone.
    DeleteTemplate,
    /// List everything on the provider.
    ListMachines,
    /// Delete what was left over.
    DeleteMachines,
    /// Wait until an SSH server answers, and learn its key.
    WaitSsh,
    /// See what version is inside.
    VerifyVersion,
    /// Make it what it is to be.
    Configure,
    /// Take out what belongs to this one alone.
    Seal,
    /// Make a template of it.
    MakeTemplate,
    /// Bring it up to date.
    Update,
    /// Delete one machine that is no appliance, and see that it is gone.
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

/// How a step is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Tries before it has failed for good; `None`: it is tried until it succeeds.
    pub attempts: Option<u32>,
    /// Wait before the second try; doubles with each further one.
    pub backoff: Duration,
    /// The longest wait between tries.
    pub backoff_max: Duration,
    /// One try must end within this time.
    pub deadline: Duration,
    /// A try that is not heard of for this long is stopped: its worker may be stuck. One long call says nothing until it ends.
    pub progress_limit: Duration,
}

impl StepKind {
    /// How the step is tried. Deleting is tried for ever: nothing may be left behind; stopping before it only for a while. Waiting for readiness is bounded by the probes instead.
    pub fn policy(self) -> Policy {
        let seconds = Duration::from_secs;
        let (attempts, deadline, progress_limit) = match self {
            Self::Clone => (Some(3), seconds(15 * 60), seconds(15 * 60)),
            Self::WaitPresent | Self::WaitAddress | Self::WaitSsh => (Some(2), seconds(10 * 60), seconds(2 * 60)),
            Self::Tag | Self::Start | Self::Stop => (Some(4), seconds(2 * 60), seconds(60)),
            Self::WaitReady => (Some(1), seconds(60 * 60), seconds(2 * 60)),
            Self::Delete | Self::WaitGone => (None, seconds(10 * 60), seconds(2 * 60)),
            Self::CheckProvider => (Some(1), seconds(60), seconds(60)),
            // What refuses is asked again by the job that deletes templates.
            Self::DeleteTemplate => (Some(20), seconds(10 * 60), seconds(2 * 60)),
            // The next look, or the next run of the job, is the second try.
            Self::ListMachines => (Some(1), seconds(3 * 60), seconds(3 * 60)),
            Self::DeleteMachines => (Some(1), seconds(10 * 60), seconds(2 * 60)),
            Self::DeleteMachine => (Some(5), seconds(10 * 60), seconds(2 * 60)),
            // Configuration bounds these: each has what all of its actions may take together.
            Self::VerifyVersion | Self::Configure | Self::Seal | Self::Update => {
                (Some(2), seconds(60 * 60), seconds(2 * 60))
            }
            Self::MakeTemplate => (Some(3), seconds(30 * 60), seconds(30 * 60)),
            Self::Ping => (Some(3), seconds(10), seconds(10)),
            Self::Suspend | Self::Resume | Self::Reboot | Self::Rename | Self::AttachDisk | Self::DetachDisk => {
                (Some(4), seconds(5 * 60), seconds(150))
            }
        };
        Policy { attempts, backoff: Duration::from_millis(500), backoff_max: seconds(60), deadline, progress_limit }
    }

    /// Name in tables, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::WaitPresent => "wait_present",
            Self::Tag => "tag",
            Self::Start => "start",
            Self::WaitAddress => "wait_address",
            Self::WaitReady => "wait_ready",
            Self::Stop => "stop",
            Self::Delete => "delete",
            Self::WaitGone => "wait_gone",
            Self::CheckProvider => "check_provider",
            Self::Ping => "ping",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Reboot => "reboot",
            Self::Rename => "rename",
            Self::AttachDisk => "attach_disk",
            Self::DetachDisk => "detach_disk",
            Self::DeleteTemplate => "delete_template",
            Self::ListMachines => "list_machines",
            Self::DeleteMachines => "delete_machines",
            Self::WaitSsh => "wait_ssh",
            Self::VerifyVersion => "verify_version",
            Self::Configure => "configure",
            Self::Seal => "seal",
            Self::MakeTemplate => "make_template",
            Self::Update => "update",
            Self::DeleteMachine => "delete_machine",
        }
    }

    /// It is done so often that its beginning and end are no events.
    pub fn is_routine(self) -> bool {
        matches!(self, Self::Ping | Self::ListMachines)
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a step failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepErrorReason {
    /// The provider did not answer; the outcome is unknown.
    Unreachable,
    /// The provider refused our credentials.
    AccessDenied,
    /// The template is not there.
    TemplateNotFound,
    /// The appliance is not there.
    ApplianceNotFound,
    /// Something else has that name.
    NameTaken,
    /// No room.
    NoCapacity,
    /// The driver cannot do this.
    Unsupported,
    /// What was asked is wrong.
    Invalid,
    /// The provider failed for a reason of its own.
    ProviderError,
    /// The time allowed ran out.
    Deadline,
    /// Stopped by request or because the worker left.
    Cancelled,
    /// The appliance stopped or broke on its way.
    ApplianceBroken,
}

impl StepErrorReason {
    /// Trying the same again may help.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::NoCapacity | Self::ProviderError | Self::Deadline)
    }

    /// The provider answered, and the answer was no: nothing of this try is still under way.
    pub fn is_definite(self) -> bool {
        !matches!(self, Self::Unreachable | Self::Deadline | Self::Cancelled | Self::ProviderError)
    }
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    /// For programs.
    pub reason: StepErrorReason,
    /// For people.
    pub message: String,
}

/// What a step found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutput {
    /// Nothing beyond its success.
    Empty,
    /// The appliance as seen.
    Observed {
        /// The provider's id of it.
        provider_ref: String,
        /// Its power.
        power: PowerState,
        /// Its address, if it has one.
        address: Option<String>,
        /// Where its services answer, if it has an address.
        endpoints: Vec<Endpoint>,
        /// Where its screen can be seen.
        console_url: Option<String>,
    },
    /// The provider as seen.
    Provider {
        /// Kind and version, for people.
        version: String,
        /// Names of all templates.
        templates: Vec<String>,
        /// What it can do; empty: its worker did not say.
        capabilities: BTreeSet<Capability>,
        /// How large it is.
        totals: Totals,
    },
    /// The host key of an SSH server; empty: nothing is done over SSH.
    HostKey(String),
    /// The version inside, as it was printed; empty: there was nothing to look with.
    Version(String),
    /// Everything on the provider.
    Machines(Vec<Listed>),
    /// What became of those that were to be deleted: name, and why it is still there.
    Deleted(Vec<(String, Option<String>)>),
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Try again after this long, give or take the caller's jitter.
    Retry(Duration),
    /// Give it out again at once; it does not count as a try.
    Requeue,
    /// It has failed for good.
    GiveUp,
}

/// Decides what follows the `attempt`-th failed try (1 = the first) of a step.
pub fn after_failure(step: StepKind, attempt: u32, reason: StepErrorReason) -> AfterFailure {
    if reason == StepErrorReason::Cancelled {
        return AfterFailure::Requeue;
    }
    let policy = step.policy();
    let more = match policy.attempts {
        None => true,
        Some(attempts) => reason.may_pass() && attempt < attempts,
    };
    if !more {
        return AfterFailure::GiveUp;
    }
    let factor = 1_u32 << attempt.saturating_sub(1).min(16);
    AfterFailure::Retry(policy.backoff.saturating_mul(factor).min(policy.backoff_max))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleting_never_gives_up() {
        for step in WorkflowKind::Kill.steps().iter().filter(|step| **step != StepKind::Stop) {
            for attempt in [1, 2, 50, u32::MAX] {
                assert!(matches!(after_failure(*step, attempt, StepErrorReason::AccessDenied), AfterFailure::Retry(_)));
            }
        }
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again_and_the_rest_backs_off() {
        assert_eq!(after_failure(StepKind::Clone, 1, StepErrorReason::TemplateNotFound), AfterFailure::GiveUp);
        assert_eq!(
            after_failure(StepKind::Clone, 1, StepErrorReason::Unreachable),
            AfterFailure::Retry(Duration::from_millis(500))
        );
        assert_eq!(
            after_failure(StepKind::Clone, 2, StepErrorReason::Unreachable),
            AfterFailure::Retry(Duration::from_secs(1))
        );
        assert_eq!(after_failure(StepKind::Clone, 3, StepErrorReason::Unreachable), AfterFailure::GiveUp);
        assert_eq!(
            after_failure(StepKind::Delete, 30, StepErrorReason::Unreachable),
            AfterFailure::Retry(Duration::from_secs(60))
        );
    }

    #[test]
    fn a_parent_has_no_steps_of_its_own_and_every_step_is_heard_of_before_its_deadline() {
        for kind in [WorkflowKind::CheckProviders, WorkflowKind::Pings] {
            assert!(kind.is_parent() && kind.steps().is_empty());
        }
        for kind in [
            WorkflowKind::Deploy,
            WorkflowKind::Kill,
            WorkflowKind::Prove,
            WorkflowKind::CheckProvider,
            WorkflowKind::Ping,
            WorkflowKind::Prepare,
            WorkflowKind::DeployUpdated,
        ] {
            assert!(!kind.is_parent());
            for step in kind.steps() {
                let policy = step.policy();
                assert!(policy.progress_limit <= policy.deadline && !policy.progress_limit.is_zero(), "{step}");
            }
        }
    }

    #[test]
    fn a_worker_that_leaves_costs_no_try() {
        assert_eq!(after_failure(StepKind::WaitReady, 1, StepErrorReason::Cancelled), AfterFailure::Requeue);
    }
}
