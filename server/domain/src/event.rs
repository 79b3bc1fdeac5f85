//! Events: what happened, in order.

use crate::{ApplianceId, PoolId, ProviderKey, Timestamp, WorkflowId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A pool was requested.
    PoolRequested,
    /// A pool's state changed.
    PoolState,
    /// A pool's leases were extended.
    PoolExtended,
    /// An appliance was created in the database.
    ApplianceCreated,
    /// An appliance's state changed.
    ApplianceState,
    /// A warm appliance was granted to a pool.
    ApplianceGranted,
    /// A lease ended.
    LeaseExpired,
    /// A step was given to a worker.
    StepStarted,
    /// A step succeeded.
    StepDone,
    /// A step failed.
    StepFailed,
    /// A provider was checked.
    ProviderChecked,
    /// A workflow of several parts ended.
    WorkflowEnded,
    /// A token was made invalid.
    TokenRevoked,
    /// A lease ends soon.
    LeaseReminder,
    /// Something of an appliance changed other than its state: name, description, hold, disk, pool.
    ApplianceChanged,
    /// Something of a pool changed other than its state: description, owner, appliances.
    PoolChanged,
    /// A provider's circuit opened or closed.
    ProviderCircuit,
    /// A provider was enabled, disabled, hidden or shown.
    ProviderChanged,
    /// A template's state changed.
    TemplateState,
    /// Something was left over on a provider, was seen again, or was deleted.
    Leak,
    /// What is kept warm was changed.
    ShepherdChanged,
    /// A user, user group, quota or token changed.
    UserChanged,
    /// A job ran.
    JobRun,
    /// The version inside a template is not the one that its name says.
    TemplateVersion,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 24] = [
        Self::PoolRequested,
        Self::PoolState,
        Self::PoolExtended,
        Self::ApplianceCreated,
        Self::ApplianceState,
        Self::ApplianceGranted,
        Self::LeaseExpired,
        Self::StepStarted,
        Self::StepDone,
        Self::StepFailed,
        Self::ProviderChecked,
        Self::WorkflowEnded,
        Self::TokenRevoked,
        Self::LeaseReminder,
        Self::ApplianceChanged,
        Self::PoolChanged,
        Self::ProviderCircuit,
        Self::ProviderChanged,
        Self::TemplateState,
        Self::Leak,
        Self::ShepherdChanged,
        Self::UserChanged,
        Self::JobRun,
        Self::TemplateVersion,
    ];

    /// It is about how the service is run; users have no part in it.
    pub fn is_for_staff(self) -> bool {
        matches!(self, Self::TokenRevoked | Self::Leak | Self::UserChanged | Self::JobRun)
    }
}

/// An event about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The pool concerned.
    pub pool_id: Option<PoolId>,
    /// The appliance concerned.
    pub appliance_id: Option<ApplianceId>,
    /// The provider concerned.
    pub provider: Option<ProviderKey>,
    /// The workflow that caused it.
    pub workflow_id: Option<WorkflowId>,
    /// The user who caused it.
    pub user: Option<String>,
    /// State afterwards, for state changes.
    pub state: Option<String>,
    /// One sentence for people.
    pub message: String,
}

impl NewEvent {
    /// An event of this kind with this sentence, about nothing yet.
    pub fn new(kind: EventKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            pool_id: None,
            appliance_id: None,
            provider: None,
            workflow_id: None,
            user: None,
            state: None,
            message: message.into(),
        }
    }
}

/// An event as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of all events.
    pub sequence: i64,
    /// When.
    pub happened_at: Timestamp,
    /// What.
    pub fact: NewEvent,
}
