//! Events on the wire.

use sprout_app::{TimelineSubject, ports::EventFilter};
use sprout_domain::{
    ApplianceId, Error, PoolId,
    event::{Event, EventKind},
};
use sprout_proto::event as proto;

use super::{Wire, moment, optional_id, optional_text};

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
                kinds: kinds(request.kinds)?,
                ..EventFilter::default()
            },
            after: request.after_sequence.map(i64::try_from).transpose().map_err(unknown)?,
        })
    }
}

/// What to list.
pub(crate) struct Timeline {
    pub(crate) subject: TimelineSubject,
    pub(crate) kinds: Vec<EventKind>,
}

impl TryFrom<Wire<proto::ListEventsRequest>> for Timeline {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListEventsRequest>) -> Result<Self, Error> {
        let pool = optional_id("pool_id", request.pool_id)?.map(PoolId);
        let appliance = optional_id("appliance_id", request.appliance_id)?.map(ApplianceId);
        let provider = optional_text("provider", request.provider)?;
        let subject = match (pool, appliance, provider.as_deref()) {
            (None, None, None) => TimelineSubject::All,
            (Some(pool), None, None) => TimelineSubject::Pool(pool),
            (None, Some(appliance), None) => TimelineSubject::Appliance(appliance),
            (None, None, Some(provider)) => TimelineSubject::Provider(provider.into()),
            _ => {
                let message = "events are listed of one thing; name a pool, an appliance or a provider, not several";
                return Err(Error::invalid("appliance_id", message));
            }
        };
        Ok(Self { subject, kinds: kinds(request.kinds)? })
    }
}

fn kinds(numbers: Vec<i32>) -> Result<Vec<EventKind>, Error> {
    let known = |number| {
        let wire = proto::EventKind::try_from(number).ok();
        EventKind::ALL.into_iter().find(|kind| wire == Some(proto::EventKind::from(Wire(*kind))))
    };
    let unknown =
        |number| Error::invalid("kinds", format!("there is no kind of event {number}; use those of the protos"));
    numbers.into_iter().map(|number| known(number).ok_or_else(|| unknown(number))).collect()
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
            worker: fact.worker.map(|id| id.0),
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
            EventKind::TemplateVersion => Self::TemplateVersion,
            EventKind::WorkerState => Self::WorkerState,
        }
    }
}
