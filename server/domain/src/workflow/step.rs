//! Steps: what each one is, how it is tried, what it finds out, and what follows when it fails.

use std::{collections::BTreeSet, fmt, time::Duration};

use crate::{appliance::PowerState, group::Endpoint, machine::Listed, operation::Capability, provider::Totals};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::WorkflowKind;

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
