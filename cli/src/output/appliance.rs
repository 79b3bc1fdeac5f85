//! Appliances as they are shown.

use serde::Serialize;
use sprout_client::proto::appliance::{Appliance, ApplianceState, PowerState};

use super::{Card, Row, facts, lower, some, time};

/// One appliance.
#[derive(Debug, Serialize)]
pub(crate) struct ApplianceView {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) state: String,
    power_state: String,
    provider: String,
    group: String,
    template: String,
    version: String,
    date: String,
    pool_id: Option<u64>,
    address: Option<String>,
    endpoints: Vec<EndpointView>,
    provider_ref: Option<String>,
    pub(crate) progress_percent: u32,
    pub(crate) status: String,
    created_at: Option<String>,
    ready_at: Option<String>,
    leased_at: Option<String>,
    leased_until: Option<String>,
}

#[derive(Debug, Serialize)]
struct EndpointView {
    name: String,
    host: String,
    port: u32,
    url: Option<String>,
}

impl EndpointView {
    fn shown(&self) -> String {
        self.url.clone().unwrap_or_else(|| format!("{}={}:{}", self.name, self.host, self.port))
    }
}

impl From<Appliance> for ApplianceView {
    fn from(a: Appliance) -> Self {
        Self {
            id: a.id,
            name: a.name,
            state: lower(a.state, ApplianceState::as_str_name, "APPLIANCE_STATE_"),
            power_state: lower(a.power_state, PowerState::as_str_name, "POWER_STATE_"),
            provider: a.provider,
            group: a.group,
            template: a.template,
            version: a.version,
            date: a.date,
            pool_id: a.pool_id,
            address: a.address,
            endpoints: a
                .endpoints
                .into_iter()
                .map(|e| EndpointView { name: e.name, host: e.host, port: e.port, url: e.url })
                .collect(),
            provider_ref: a.provider_ref,
            progress_percent: a.progress_percent,
            status: a.status,
            created_at: time::rfc3339(a.created_at),
            ready_at: time::rfc3339(a.ready_at),
            leased_at: time::rfc3339(a.leased_at),
            leased_until: time::rfc3339(a.leased_until),
        }
    }
}

impl ApplianceView {
    fn services(&self) -> Option<String> {
        some(self.endpoints.iter().map(EndpointView::shown).collect::<Vec<_>>().join(" "))
    }
}

impl Row for ApplianceView {
    const PLURAL: &'static str = "appliances";
    const COLUMNS: &'static [&'static str] =
        &["ID", "NAME", "STATE", "POOL", "PROVIDER", "VERSION", "ADDRESS", "LEASE ENDS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.state.clone(),
            self.pool_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            self.provider.clone(),
            self.version.clone(),
            self.services().or_else(|| self.address.clone()).unwrap_or_else(|| "-".to_owned()),
            time::relative(self.leased_until.as_ref()).unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

/// An appliance among those of its pool, which says the rest.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct MemberView<'a>(pub(crate) &'a ApplianceView);

impl Row for MemberView<'_> {
    const PLURAL: &'static str = "appliances";
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "STATE", "PROVIDER", "ADDRESS", "LEASE ENDS"];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        // POOL and VERSION are the pool's.
        cells.remove(5);
        cells.remove(3);
        cells
    }
}

/// Where a screen can be seen.
#[derive(Debug, Serialize)]
pub(crate) struct ConsoleView {
    pub(crate) url: String,
}

impl Card for ConsoleView {
    fn text(&self) -> String {
        format!("{}\n", self.url)
    }
}

impl Card for ApplianceView {
    fn text(&self) -> String {
        facts(&[
            ("appliance", Some(self.id.to_string())),
            ("name", some(self.name.clone())),
            ("state", Some(format!("{} ({} %)", self.state, self.progress_percent))),
            ("status", some(self.status.clone())),
            ("power", Some(self.power_state.clone())),
            ("pool", self.pool_id.map(|id| id.to_string())),
            ("provider", some(self.provider.clone())),
            ("provider ref", self.provider_ref.clone()),
            ("group", some(self.group.clone())),
            ("template", some(self.template.clone())),
            ("version", some(format!("{} {}", self.version, self.date).trim().to_owned())),
            ("address", self.address.clone()),
            ("endpoints", self.services()),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
            ("ready", time::relative_and_exact(self.ready_at.as_ref())),
            ("lease ends", time::relative_and_exact(self.leased_until.as_ref())),
        ])
    }
}
