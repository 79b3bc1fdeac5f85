//! Pools on the wire.

use sprout_app::{CloneRequest, PoolView, ports::PoolFilter};
use sprout_domain::{
    Error,
    pool::{PoolRequest, PoolState, Priority},
    template::BuildDate,
    version::Version,
};
use sprout_proto::{pool as proto, template::TemplateType};

use super::{Wire, moment, optional_duration, optional_text, span, states, template::template_type, text};

impl TryFrom<Wire<proto::RequestPoolRequest>> for PoolRequest {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::RequestPoolRequest>) -> Result<Self, Error> {
        let template_type = Wire(known::<TemplateType>("template_type", request.template_type)?).into();
        let priority = match known("priority", request.priority)? {
            proto::Priority::Unspecified => None,
            proto::Priority::Interactive => Some(Priority::Interactive),
            proto::Priority::Batch => Some(Priority::Batch),
        };
        Ok(Self {
            request_id: request.request_id,
            group: text("group", request.group)?.as_str().into(),
            count: request.count,
            version: optional_text("version", request.version)?.map(Version::new),
            date: optional_text("date", request.date)?.as_deref().map(date).transpose()?,
            provider: optional_text("provider", request.provider)?.as_deref().map(Into::into),
            lease: optional_duration("lease", request.lease)?,
            description: request.description,
            memory_mib: request.memory_mib,
            cpus: request.cpus,
            provider_type: optional_text("provider_type", request.provider_type)?,
            template_type,
            unconfigured: request.unconfigured,
            update: request.update,
            priority,
            keep_alive: optional_duration("keep_alive", request.keep_alive)?,
            wait_limit: optional_duration("wait_limit", request.wait_limit)?,
        })
    }
}

impl TryFrom<Wire<proto::ClonePoolRequest>> for CloneRequest {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ClonePoolRequest>) -> Result<Self, Error> {
        let lease = optional_duration("lease", request.lease)?;
        Ok(Self { request_id: request.request_id, count: request.count, lease })
    }
}

/// A value of an enum. One that this server does not know would be left out otherwise, and something else requested.
fn known<E: TryFrom<i32>>(field: &'static str, number: i32) -> Result<E, Error> {
    E::try_from(number)
        .map_err(|_| Error::invalid(field, format!("there is no {field} {number}; use one of those of the protos")))
}

fn date(text: &str) -> Result<BuildDate, Error> {
    BuildDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| {
        Error::invalid("date", "a date is written YYYY-MM-DD; see `sproutctl template list` for those there are")
    })
}

impl TryFrom<Wire<proto::ListPoolsRequest>> for PoolFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListPoolsRequest>) -> Result<Self, Error> {
        let mut states = states::<proto::PoolState, PoolState>(request.states)?;
        if states.is_empty() {
            states.extend(PoolState::ALL.into_iter().filter(|state| !state.is_final()));
        }
        Ok(Self {
            owner_id: None,
            owner: optional_text("owner", request.owner)?,
            states,
            description: request.description,
            description_part: optional_text("description_part", request.description_part)?,
            group: optional_text("group", request.group)?.as_deref().map(Into::into),
        })
    }
}

impl From<Wire<PoolView>> for proto::Pool {
    fn from(Wire(view): Wire<PoolView>) -> Self {
        let (leased_until, progress_percent, ready_count) =
            (view.leased_until(), view.progress_percent(), view.ready_count());
        let PoolView { pool, appliances, place } = view;
        Self {
            id: pool.id.into(),
            request_id: pool.request_id,
            owner: pool.owner,
            group: pool.group.0,
            version: pool.version.to_string(),
            date: super::build_date(pool.date),
            provider: pool.provider.map(|key| key.0),
            count: pool.count,
            lease: Some(span(pool.lease)),
            description: pool.description,
            state: proto::PoolState::from(Wire(pool.state)).into(),
            status: pool.status,
            created_at: Some(moment(pool.created_at)),
            fulfilled_at: pool.fulfilled_at.map(moment),
            leased_until: leased_until.map(moment),
            ended_at: pool.ended_at.map(moment),
            progress_percent,
            appliances: appliances.into_iter().map(|appliance| Wire(appliance).into()).collect(),
            ready_count,
            waiting_count: pool.waiting_count,
            position: place.map(|place| place.first),
            provider_type: pool.provider_type,
            template_type: template_type(pool.template_type),
            unconfigured: pool.unconfigured,
            update: pool.update,
            priority: match pool.priority {
                Priority::Interactive => proto::Priority::Interactive,
                Priority::Batch => proto::Priority::Batch,
            }
            .into(),
            memory_mib: pool.memory_mib,
            cpus: pool.cpus,
            alive_until: pool.alive_until.map(moment),
            wait_until: pool.wait_until.map(moment),
        }
    }
}

impl From<Wire<PoolState>> for proto::PoolState {
    fn from(Wire(state): Wire<PoolState>) -> Self {
        match state {
            PoolState::Waiting => Self::Waiting,
            PoolState::Provisioning => Self::Provisioning,
            PoolState::Ready => Self::Ready,
            PoolState::Ending => Self::Ending,
            PoolState::Ended => Self::Ended,
            PoolState::Failed => Self::Failed,
        }
    }
}

impl From<Wire<proto::PoolState>> for Option<PoolState> {
    fn from(Wire(state): Wire<proto::PoolState>) -> Self {
        PoolState::ALL.into_iter().find(|known| proto::PoolState::from(Wire(*known)) == state)
    }
}
