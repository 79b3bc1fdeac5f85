//! Events on the wire.

use sprout_app::ports::EventFilter;
use sprout_domain::{
    ApplianceId, Error, PoolId,
    event::{Event, EventKind},
};
use sprout_proto::event as proto;

use super::{Wire, moment, optional_id};

/// What a watcher wants.
pub(crate) struct Watch {
    pub(crate) filter: EventFilter,
    pub(crate) after: Option<i64>,
}

impl TryFrom<Wire<proto::WatchRequest>> for Watch {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::WatchRequest>) -> Result<Self, Error> {
        let unknown = |_| Error::invalid("after_sequence", "this is no sequence of an event; send the last one seen");
        Ok(Self {
            filter: EventFilter {
                pool_id: optional_id("pool_id", request.pool_id)?.map(PoolId),
                appliance_id: optional_id("appliance_id", request.appliance_id)?.map(ApplianceId),
            },
            after: request.after_sequence.map(i64::try_from).transpose().map_err(unknown)?,
        })
    }
}

/// The sequence of an event, or where a stream of them stands.
pub(crate) fn sequence(sequence: i64) -> u64 {
    sequence.unsigned_abs() // the database counts from 0
}

impl From<Wire<Event>> for proto::WatchResponse {
    fn from(Wire(event): Wire<Event>) -> Self {
        Self { sequence: sequence(event.sequence), event: Some(Wire(event).into()) }
    }
}

impl From<Wire<Event>> for proto::Event {
    fn from(Wire(Event { sequence: at, happened_at, fact }): Wire<Event>) -> Self {
        Self {
            sequence: sequence(at),
            happened_at: Some(moment(happened_at)),
            kind: proto::EventKind::from(Wire(fact.kind)).into(),
            pool_id: fact.pool_id.map(Into::into),
            appliance_id: fact.appliance_id.map(Into::into),
            provider: fact.provider.map(|key| key.0),
            workflow_id: fact.workflow_id.map(Into::into),
            user: fact.user,
            state: fact.state,
            message: fact.message,
        }
    }
}

impl From<Wire<EventKind>> for proto::EventKind {
    fn from(Wire(kind): Wire<EventKind>) -> Self {
        match kind {
            EventKind::PoolRequested => Self::PoolRequested,
            EventKind::PoolState => Self::PoolState,
            EventKind::PoolExtended => Self::PoolExtended,
            EventKind::ApplianceCreated => Self::ApplianceCreated,
            EventKind::ApplianceState => Self::ApplianceState,
            EventKind::ApplianceGranted => Self::ApplianceGranted,
            EventKind::LeaseExpired => Self::LeaseExpired,
            EventKind::StepStarted => Self::StepStarted,
            EventKind::StepDone => Self::StepDone,
            EventKind::StepFailed => Self::StepFailed,
            EventKind::ProviderChecked => Self::ProviderChecked,
            EventKind::WorkflowEnded => Self::WorkflowEnded,
            EventKind::TokenRevoked => Self::TokenRevoked,
            EventKind::LeaseReminder => Self::LeaseReminder,
            EventKind::ApplianceChanged => Self::ApplianceChanged,
            EventKind::PoolChanged => Self::PoolChanged,
            EventKind::ProviderCircuit => Self::ProviderCircuit,
            EventKind::ProviderChanged => Self::ProviderChanged,
            EventKind::TemplateState => Self::TemplateState,
            EventKind::Leak => Self::Leak,
            EventKind::ShepherdChanged => Self::ShepherdChanged,
            EventKind::UserChanged => Self::UserChanged,
            EventKind::JobRun => Self::JobRun,
        }
    }
}
