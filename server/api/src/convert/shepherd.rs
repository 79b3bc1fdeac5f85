//! Shepherds on the wire.

use sprout_app::{PlannedShepherd, ShepherdView, WantedShepherd, ports::ShepherdFilter};
use sprout_domain::{
    Error, Result,
    demand::{Demand, Window},
    shepherd::{Action, Change, Shepherd},
};
use sprout_proto::shepherd as proto;

use super::{Wire, optional_text, span, text};

impl TryFrom<Wire<proto::ListShepherdsRequest>> for ShepherdFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListShepherdsRequest>) -> Result<Self> {
        Ok(Self {
            group: optional_text("group", request.group)?.map(|group| group.as_str().into()),
            user_group: optional_text("user_group", request.user_group)?,
            member: None,
        })
    }
}

impl TryFrom<Wire<Option<proto::Shepherd>>> for WantedShepherd {
    type Error = Error;

    fn try_from(Wire(shepherd): Wire<Option<proto::Shepherd>>) -> Result<Self> {
        let shepherd =
            shepherd.ok_or_else(|| Error::invalid("shepherd", "shepherd is missing; say what to keep warm"))?;
        Ok(Self {
            group: text("shepherd.group", shepherd.group)?.as_str().into(),
            user_group: Some(shepherd.user_group).filter(|name| !name.is_empty()),
            preconfigured: shepherd.preconfigured,
            unconfigured: shepherd.unconfigured,
            demand: shepherd.demand.map(|demand| Wire(demand).try_into()).transpose()?,
        })
    }
}

impl TryFrom<Wire<proto::Demand>> for Demand {
    type Error = Error;

    fn try_from(Wire(demand): Wire<proto::Demand>) -> Result<Self> {
        let schedule = demand.schedule.into_iter().map(|window| Wire(window).try_into()).collect::<Result<_>>()?;
        Ok(Self { min: demand.min, max: demand.max, schedule })
    }
}

impl TryFrom<Wire<proto::Window>> for Window {
    type Error = Error;

    fn try_from(Wire(window): Wire<proto::Window>) -> Result<Self> {
        // What does not fit is out of bounds, which the domain says.
        let minute = |minute: u32| u16::try_from(minute).unwrap_or(u16::MAX);
        let day = |day: u32| u8::try_from(day).unwrap_or(u8::MAX);
        Ok(Self {
            days: window.days.into_iter().map(day).collect(),
            from_minute: minute(window.from_minute),
            to_minute: minute(window.to_minute),
            min: window.min,
        })
    }
}

impl From<Wire<Shepherd>> for proto::Shepherd {
    fn from(Wire(shepherd): Wire<Shepherd>) -> Self {
        Self {
            user_group: shepherd.flock.name().to_owned(),
            group: shepherd.group.0,
            preconfigured: shepherd.preconfigured,
            unconfigured: shepherd.unconfigured,
            demand: shepherd.demand.map(|demand| Wire(demand).into()),
        }
    }
}

impl From<Wire<Demand>> for proto::Demand {
    fn from(Wire(demand): Wire<Demand>) -> Self {
        let window = |window: Window| proto::Window {
            days: window.days.into_iter().map(u32::from).collect(),
            from_minute: window.from_minute.into(),
            to_minute: window.to_minute.into(),
            min: window.min,
        };
        Self { min: demand.min, max: demand.max, schedule: demand.schedule.into_iter().map(window).collect() }
    }
}

impl From<Wire<ShepherdView>> for proto::ShepherdStatus {
    fn from(Wire(view): Wire<ShepherdView>) -> Self {
        Self {
            wanted: view.wanted,
            warm: view.preconfigured.warm,
            coming: view.preconfigured.coming,
            unconfigured_warm: view.unconfigured.warm,
            unconfigured_coming: view.unconfigured.coming,
            version: view.version.unwrap_or_default(),
            status: view.status,
            requests_per_hour: view.measured.map(|measured| measured.per_hour),
            provisioning_time: view.measured.and_then(|measured| measured.provisioning).map(span),
            shepherd: Some(Wire(view.shepherd).into()),
        }
    }
}

impl From<Wire<PlannedShepherd>> for proto::PlanShepherdResponse {
    fn from(Wire(planned): Wire<PlannedShepherd>) -> Self {
        Self {
            now: Some(Wire(planned.now).into()),
            wanted: planned.wanted,
            changes: planned.changes.into_iter().map(|change| Wire(change).into()).collect(),
        }
    }
}

impl From<Wire<Change>> for proto::PlannedChange {
    fn from(Wire(change): Wire<Change>) -> Self {
        let action = match change.action {
            Action::Deploy => proto::PlannedAction::Deploy,
            Action::Wait => proto::PlannedAction::Wait,
            Action::Kill(_) => proto::PlannedAction::Kill,
        };
        Self {
            action: action.into(),
            count: change.count,
            provider: change.provider.map(|key| key.0).unwrap_or_default(),
            version: change.version.map(|version| version.as_str().to_owned()).unwrap_or_default(),
            reason: change.reason,
        }
    }
}
