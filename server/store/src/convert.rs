//! Between rows and the domain: names of states, numbers, and what to say of a row that makes no sense.

use std::time::Duration;

use sprout_domain::{
    Error, Result,
    appliance::{ApplianceState, PowerState},
    catalogue_sync::ProblemKind,
    event::EventKind,
    job::JobRunState,
    machine::MachineKind,
    operation::Capability,
    pool::PoolState,
    provider::CircuitState,
    template::{TemplateState, TemplateType},
    token::TokenScope,
    user::Role,
    workflow::{Lane, StepKind, TaskState, WorkflowKind, WorkflowState},
};

/// An enum whose variants are stored by name.
pub(crate) trait Named: Copy {
    /// Its type, for messages.
    const TYPE: &'static str;

    /// The name stored.
    fn name(self) -> &'static str;

    /// The variant of this name.
    fn named(name: &str) -> Option<Self>;
}

macro_rules! names {
    ($($type:ident { $($variant:ident = $name:literal),+ $(,)? })+) => { $(
        impl Named for $type {
            const TYPE: &'static str = stringify!($type);

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        #[cfg(test)]
        impl tests::All for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    )+ };
}

names! {
    ApplianceState {
        Requested = "requested", Cloning = "cloning", Starting = "starting", Preparing = "preparing", Ready = "ready",
        Stopping = "stopping", Off = "off", Suspending = "suspending", Suspended = "suspended", Killing = "killing",
        Gone = "gone", Failed = "failed", Orphaned = "orphaned",
    }
    PowerState {
        Unknown = "unknown", On = "on", Off = "off", Suspended = "suspended", Changing = "changing", Absent = "absent",
    }
    PoolState {
        Waiting = "waiting", Provisioning = "provisioning", Ready = "ready", Ending = "ending", Ended = "ended",
        Failed = "failed",
    }
    TemplateState { Preparing = "preparing", Ready = "ready", Quarantined = "quarantined", Retiring = "retiring", Gone = "gone" }
    TemplateType { VirtualMachine = "virtual_machine", Container = "container", DockerVm = "docker_vm" }
    CircuitState { Closed = "closed", Open = "open", HalfOpen = "half_open" }
    TokenScope { Read = "read", Use = "use", Full = "full" }
    Role { User = "user", Bot = "bot", Staff = "staff", Superuser = "superuser" }
    WorkflowKind {
        Deploy = "deploy", Kill = "kill", Prove = "prove", CheckProvider = "check_provider", CheckProviders = "check_providers",
        Ping = "ping", Pings = "pings", Start = "start", Stop = "stop", Suspend = "suspend", Resume = "resume",
        Reboot = "reboot", Rename = "rename", Reset = "reset", AttachDisk = "attach_disk", DetachDisk = "detach_disk",
        DeleteTemplate = "delete_template", Refresh = "refresh", Refreshes = "refreshes", CleanUp = "clean_up",
        Prepare = "prepare", DeployUpdated = "deploy_updated", StartMachine = "start_machine", StopMachine = "stop_machine",
        DeleteMachine = "delete_machine",
    }
    MachineKind {
        Tracked = "tracked", Untracked = "untracked", Foreign = "foreign", Leaked = "leaked", Lost = "lost", Stray = "stray",
    }
    Capability {
        Power = "power", Suspend = "suspend", Rename = "rename", RenameOff = "rename_off", Disk = "disk",
        Snapshot = "snapshot", Resize = "resize", ResizeOff = "resize_off", MakeTemplate = "make_template",
    }
    WorkflowState {
        Pending = "pending", Running = "running", Succeeded = "succeeded", Failed = "failed", Cancelled = "cancelled",
    }
    StepKind {
        Clone = "clone", WaitPresent = "wait_present", Tag = "tag", Start = "start", WaitAddress = "wait_address",
        WaitReady = "wait_ready", Stop = "stop", Delete = "delete", WaitGone = "wait_gone",
        CheckProvider = "check_provider", Ping = "ping", Suspend = "suspend", Resume = "resume", Reboot = "reboot",
        Rename = "rename", AttachDisk = "attach_disk", DetachDisk = "detach_disk",
        DeleteTemplate = "delete_template",
        ListMachines = "list_machines", DeleteMachines = "delete_machines",
        WaitSsh = "wait_ssh", VerifyVersion = "verify_version", Configure = "configure", Seal = "seal",
        MakeTemplate = "make_template", Update = "update", DeleteMachine = "delete_machine",
    }
    TaskState {
        Blocked = "blocked", Ready = "ready", Running = "running", Retrying = "retrying", Done = "done",
        Failed = "failed", Cancelled = "cancelled",
    }
    ProblemKind {
        NoRule = "no_rule", TwoRules = "two_rules", OtherGroup = "other_group", Contradiction = "contradiction",
        Malformed = "malformed",
    }
    JobRunState { Running = "running", Done = "done", Failed = "failed", Lost = "lost" }
    EventKind {
        PoolRequested = "pool_requested", PoolState = "pool_state", PoolExtended = "pool_extended",
        ApplianceCreated = "appliance_created", ApplianceState = "appliance_state",
        ApplianceGranted = "appliance_granted", LeaseExpired = "lease_expired", StepStarted = "step_started",
        StepDone = "step_done", StepFailed = "step_failed", ProviderChecked = "provider_checked",
        WorkflowEnded = "workflow_ended", TokenRevoked = "token_revoked", LeaseReminder = "lease_reminder",
        ApplianceChanged = "appliance_changed", PoolChanged = "pool_changed", ProviderCircuit = "provider_circuit",
        ProviderChanged = "provider_changed", TemplateState = "template_state", Leak = "leak",
        ShepherdChanged = "shepherd_changed", UserChanged = "user_changed", JobRun = "job_run",
        TemplateVersion = "template_version", WorkerState = "worker_state",
    }
}

/// The lane stored as this number.
pub(crate) fn lane(number: i16) -> Result<Lane> {
    let found = Lane::ALL.into_iter().find(|lane| *lane as i16 == number);
    found.ok_or_else(|| Error::internal(format!("the database has an unknown lane: {number}")))
}

/// The variant stored under this name.
pub(crate) fn variant<T: Named>(name: &str) -> Result<T> {
    T::named(name).ok_or_else(|| Error::internal(format!("the database has an unknown {}: {name:?}", T::TYPE)))
}

/// A count as stored.
pub(crate) fn count(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::internal(format!("the database has an impossible count: {number}")))
}

/// A count that may be missing.
pub(crate) fn optional_count(number: Option<i64>) -> Result<Option<u32>> {
    number.map(count).transpose()
}

/// A duration in whole microseconds; longer ones than fit (290,000 years) become the longest that does.
pub(crate) fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A number of rows as a parameter.
pub(crate) fn limit(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) trait All: Sized + 'static {
        const ALL: &'static [Self];
    }

    fn every_name_leads_back<T: Named + All + PartialEq + std::fmt::Debug>() {
        for variant in T::ALL {
            assert_eq!(T::named(variant.name()), Some(*variant));
        }
        assert!(variant::<T>("?").is_err());
    }

    #[test]
    fn names_lead_back() {
        every_name_leads_back::<ApplianceState>();
        every_name_leads_back::<PowerState>();
        every_name_leads_back::<PoolState>();
        every_name_leads_back::<TemplateState>();
        every_name_leads_back::<TemplateType>();
        every_name_leads_back::<CircuitState>();
        every_name_leads_back::<Role>();
        every_name_leads_back::<WorkflowKind>();
        every_name_leads_back::<WorkflowState>();
        every_name_leads_back::<StepKind>();
        every_name_leads_back::<Capability>();
        every_name_leads_back::<TaskState>();
        every_name_leads_back::<EventKind>();
        every_name_leads_back::<JobRunState>();
        every_name_leads_back::<ProblemKind>();
        every_name_leads_back::<MachineKind>();
    }

    #[test]
    fn names_are_those_that_clients_see() {
        assert!(ApplianceState::ALL.iter().all(|state| state.name() == state.as_str()));
        assert!(PoolState::ALL.iter().all(|state| state.name() == state.as_str()));
        assert!(<StepKind as All>::ALL.iter().all(|step| step.name() == step.as_str()));
        assert!(WorkflowKind::ALL.iter().all(|kind| kind.name() == kind.as_str()));
        assert!(WorkflowState::ALL.iter().all(|state| state.name() == state.as_str()));
    }
}
