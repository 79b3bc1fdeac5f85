//! Events: what happened, in order, and who may be told of it.
//!
//! Staff are told of everything. Everyone else is told of what happens to pools while they own them, and of what is for an [`Audience`] that they belong
//! to. Both are written down with the event, so that whoever hands it on need ask nobody.

use crate::{ApplianceId, PoolId, ProviderKey, Timestamp, UserGroupId, UserId, WorkerId, WorkflowId};

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
    /// Something was left over on a provider, was seen again, or was deleted; or something is done to a machine there that is no appliance.
    Leak,
    /// What is kept warm was changed.
    ShepherdChanged,
    /// A user, user group, quota or token changed.
    UserChanged,
    /// A job ran.
    JobRun,
    /// The version inside a template is not the one that its name says.
    TemplateVersion,
    /// A worker joined, connected, left, fell silent, was drained or removed.
    WorkerState,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 25] = [
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
        Self::WorkerState,
    ];

    /// It is about how the service is run; users have no part in it.
    pub fn is_for_staff(self) -> bool {
        matches!(self, Self::TokenRevoked | Self::Leak | Self::UserChanged | Self::JobRun | Self::WorkerState)
    }
}

/// Whom of those who are not staff an event is for, other than the owner of its pool. What it says must name nobody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everyone.
    Everyone,
    /// Those who see a provider.
    Provider(ProviderKey),
    /// The members of a user group.
    UserGroup(UserGroupId),
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
    /// The worker concerned.
    pub worker: Option<WorkerId>,
    /// The workflow that caused it.
    pub workflow_id: Option<WorkflowId>,
    /// The user who caused it.
    pub user: Option<String>,
    /// State afterwards, for state changes.
    pub state: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// Whose the pool is. Found when the event is written, if it is not said.
    pub owner_id: Option<UserId>,
    /// Whose the pool was until now, where it has changed hands.
    pub former_owner_id: Option<UserId>,
    /// Who else is told.
    pub audience: Option<Audience>,
}

impl NewEvent {
    /// An event of this kind with this sentence, about nothing yet.
    pub fn new(kind: EventKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            pool_id: None,
            appliance_id: None,
            provider: None,
            worker: None,
            workflow_id: None,
            user: None,
            state: None,
            message: message.into(),
            owner_id: None,
            former_owner_id: None,
            audience: None,
        }
    }

    /// An event about a provider, or a template on it, that all are told who see the provider.
    pub fn of_provider(kind: EventKind, provider: &ProviderKey, message: impl Into<String>) -> Self {
        Self {
            provider: Some(provider.clone()),
            audience: Some(Audience::Provider(provider.clone())),
            ..Self::new(kind, message)
        }
    }

    /// What became of a worker.
    pub fn of_worker(worker: &WorkerId, state: &str, message: impl Into<String>) -> Self {
        Self {
            worker: Some(worker.clone()),
            state: Some(state.to_owned()),
            ..Self::new(EventKind::WorkerState, message)
        }
    }

    /// It is about a pool that is, or was until now, this user's.
    pub fn is_of(&self, user: UserId) -> bool {
        !self.kind.is_for_staff() && (self.owner_id == Some(user) || self.former_owner_id == Some(user))
    }

    /// As those are told who belong to its audience only: not whose doing it was.
    #[must_use]
    pub fn without_author(self) -> Self {
        Self { user: None, workflow_id: None, ..self }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_changes_hands_concerns_both_and_nobody_else() {
        let given = NewEvent {
            owner_id: Some(UserId(2)),
            former_owner_id: Some(UserId(1)),
            ..NewEvent::new(EventKind::PoolChanged, "")
        };
        assert_eq!([1, 2, 3].map(|user| given.is_of(UserId(user))), [true, true, false]);
        let for_staff = NewEvent { kind: EventKind::Leak, ..given };
        assert!(!for_staff.is_of(UserId(2)));
        let nobodys = NewEvent::of_provider(EventKind::ProviderChecked, &"lab".into(), "");
        assert!(!nobodys.is_of(UserId(1)) && nobodys.audience == Some(Audience::Provider("lab".into())));
    }
}
