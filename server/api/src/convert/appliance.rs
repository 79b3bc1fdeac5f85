//! Appliances on the wire.

use sprout_app::ports::{ApplianceBy, ApplianceFilter};
use sprout_domain::{
    ApplianceId, Error, PoolId,
    appliance::{Appliance, ApplianceState, PowerState},
    group::Endpoint,
};
use sprout_proto::appliance::{self as proto, get_appliance_request::By};

use super::{Wire, id, moment, optional_id, optional_text, states, template::template_type, text};

impl TryFrom<Wire<proto::GetApplianceRequest>> for ApplianceBy {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::GetApplianceRequest>) -> Result<Self, Error> {
        match request.by {
            Some(By::Id(value)) => Ok(Self::Id(ApplianceId(id("id", value)?))),
            Some(By::Name(value)) => Ok(Self::Name(text("name", value)?)),
            Some(By::Address(value)) => Ok(Self::Address(text("address", value)?)),
            None => Err(Error::invalid("by", "say which appliance: by id, name or address")),
        }
    }
}

impl TryFrom<Wire<proto::ListAppliancesRequest>> for ApplianceFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListAppliancesRequest>) -> Result<Self, Error> {
        Ok(Self {
            owner_id: None,
            pool_id: optional_id("pool_id", request.pool_id)?.map(PoolId),
            provider: optional_text("provider", request.provider)?.as_deref().map(Into::into),
            group: optional_text("group", request.group)?.as_deref().map(Into::into),
            states: states::<proto::ApplianceState, _>(request.states)?,
            warm: request.warm,
            owner: optional_text("owner", request.owner)?,
            expired_and_held: request.expired_and_held,
            stuck: request.stuck,
        })
    }
}

impl From<Wire<Appliance>> for proto::Appliance {
    fn from(Wire(appliance): Wire<Appliance>) -> Self {
        let is_killing = appliance.state == ApplianceState::Killing;
        let url = appliance.endpoints.iter().find_map(|endpoint| endpoint.url.clone()).unwrap_or_default();
        Self {
            id: appliance.id.into(),
            name: appliance.name,
            state: proto::ApplianceState::from(Wire(appliance.state)).into(),
            power_state: proto::PowerState::from(Wire(appliance.power)).into(),
            provider: appliance.provider.0,
            group: appliance.group.0,
            template: appliance.template,
            template_id: appliance.template_id.into(),
            version: appliance.version.to_string(),
            date: super::build_date(appliance.date),
            pool_id: appliance.pool_id.map(Into::into),
            address: appliance.address,
            endpoints: appliance.endpoints.into_iter().map(|endpoint| Wire(endpoint).into()).collect(),
            provider_ref: appliance.provider_ref,
            status: appliance.status,
            status_changed_at: Some(moment(appliance.status_changed_at)),
            created_at: Some(moment(appliance.created_at)),
            ready_at: appliance.ready_at.map(moment),
            leased_at: appliance.leased_at.map(moment),
            leased_until: appliance.leased_until.map(moment),
            progress_percent: appliance.state.progress_percent(),
            description: appliance.description,
            owner: appliance.owner,
            memory_mib: appliance.memory_mib,
            cpus: appliance.cpus,
            hold_reason: appliance.held_until.map(|_| appliance.hold_reason),
            held_until: appliance.held_until.map(moment),
            unconfigured: appliance.unconfigured,
            template_type: template_type(Some(appliance.template_type)),
            disk_mib: appliance.disk_mib,
            proven_at: appliance.proven_at.map(moment),
            user_group: appliance.user_group.filter(|_| appliance.pool_id.is_none()),
            url,
            provider_type: appliance.provider_type,
            changed_at: Some(moment(appliance.changed_at)),
            stuck_since: appliance.stuck_since.filter(|_| is_killing).map(moment),
        }
    }
}

impl From<Wire<Endpoint>> for proto::Endpoint {
    fn from(Wire(endpoint): Wire<Endpoint>) -> Self {
        Self { name: endpoint.name, host: endpoint.host, port: endpoint.port.into(), url: endpoint.url }
    }
}

impl From<Wire<PowerState>> for proto::PowerState {
    fn from(Wire(power): Wire<PowerState>) -> Self {
        match power {
            PowerState::Unknown => Self::Unspecified,
            PowerState::On => Self::On,
            PowerState::Off => Self::Off,
            PowerState::Suspended => Self::Suspended,
            PowerState::Changing => Self::Changing,
            PowerState::Absent => Self::Absent,
        }
    }
}

impl From<Wire<ApplianceState>> for proto::ApplianceState {
    fn from(Wire(state): Wire<ApplianceState>) -> Self {
        match state {
            ApplianceState::Requested => Self::Requested,
            ApplianceState::Cloning => Self::Cloning,
            ApplianceState::Starting => Self::Starting,
            ApplianceState::Preparing => Self::Preparing,
            ApplianceState::Ready => Self::Ready,
            ApplianceState::Stopping => Self::Stopping,
            ApplianceState::Off => Self::Off,
            ApplianceState::Suspending => Self::Suspending,
            ApplianceState::Suspended => Self::Suspended,
            ApplianceState::Killing => Self::Killing,
            ApplianceState::Gone => Self::Gone,
            ApplianceState::Failed => Self::Failed,
            ApplianceState::Orphaned => Self::Orphaned,
        }
    }
}

impl From<Wire<proto::ApplianceState>> for Option<ApplianceState> {
    fn from(Wire(state): Wire<proto::ApplianceState>) -> Self {
        ApplianceState::ALL.into_iter().find(|known| proto::ApplianceState::from(Wire(*known)) == state)
    }
}
