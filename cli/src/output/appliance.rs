//! Appliances as they are shown.

use serde::Serialize;
use sprout_client::proto::{
    appliance::{Appliance, ApplianceState, PowerState},
    template::TemplateType,
};

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
    pub(crate) version: String,
    date: String,
    pool_id: Option<u64>,
    pub(crate) address: Option<String>,
    endpoints: Vec<EndpointView>,
    provider_ref: Option<String>,
    pub(crate) progress_percent: u32,
    pub(crate) status: String,
    created_at: Option<String>,
    ready_at: Option<String>,
    leased_at: Option<String>,
    leased_until: Option<String>,
    owner: Option<String>,
    user_group: Option<String>,
    provider_type: String,
    template_type: String,
    unconfigured: bool,
    description: String,
    pub(crate) url: String,
    hold_reason: Option<String>,
    held_until: Option<String>,
    memory_mib: Option<u32>,
    cpus: Option<u32>,
    disk_mib: Option<u64>,
    proven_at: Option<String>,
    status_changed_at: Option<String>,
    changed_at: Option<String>,
    stuck_since: Option<String>,
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
            owner: a.owner,
            user_group: a.user_group,
            provider_type: a.provider_type,
            template_type: lower(a.template_type, TemplateType::as_str_name, "TEMPLATE_TYPE_"),
            unconfigured: a.unconfigured,
            description: a.description,
            url: a.url,
            hold_reason: a.hold_reason,
            held_until: time::rfc3339(a.held_until),
            memory_mib: a.memory_mib,
            cpus: a.cpus,
            disk_mib: a.disk_mib,
            proven_at: time::rfc3339(a.proven_at),
            status_changed_at: time::rfc3339(a.status_changed_at),
            changed_at: time::rfc3339(a.changed_at),
            stuck_since: time::rfc3339(a.stuck_since),
        }
    }
}

impl ApplianceView {
    /// The appliance in one line: "appliance 12 (app-1) ready – it is held".
    pub(crate) fn line(&self, message: &str) -> String {
        let news = if message.is_empty() { &self.status } else { message };
        let separator = if news.is_empty() { "" } else { " – " };
        format!("appliance {} ({}) {}{separator}{news}", self.id, self.name, self.state)
    }

    /// How far it is, while it is on its way.
    fn state_and_progress(&self) -> String {
        match self.state.as_str() {
            "requested" | "cloning" | "starting" | "preparing" => {
                format!("{} ({} %)", self.state, self.progress_percent)
            }
            state => state.to_owned(),
        }
    }

    fn held(&self) -> Option<String> {
        let until = time::relative_and_exact(self.held_until.as_ref())?;
        Some(format!("{until}: {}", self.hold_reason.as_deref().unwrap_or_default()))
    }

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
        // What is gone answers nowhere, and whatever lease it had is over.
        let is_there = self.state != "gone";
        facts(&[
            ("appliance", Some(self.id.to_string())),
            ("name", some(self.name.clone())),
            ("state", Some(self.state_and_progress())),
            ("status", some(self.status.clone()).filter(|status| *status != self.state)),
            ("power", Some(self.power_state.clone())),
            ("pool", self.pool_id.map(|id| id.to_string())),
            ("owner", self.owner.clone()),
            ("user group", self.user_group.clone()),
            ("description", some(self.description.clone())),
            ("provider", some(format!("{} ({})", self.provider, self.provider_type).replace(" ()", ""))),
            ("provider ref", self.provider_ref.clone()),
            ("group", some(self.group.clone())),
            ("template", some(self.template.clone())),
            ("version", some(format!("{} {}", self.version, self.date).trim().to_owned())),
            ("address", self.address.clone().filter(|_| is_there)),
            ("endpoints", self.services().filter(|_| is_there)),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
            ("ready", time::relative_and_exact(self.ready_at.as_ref())),
            ("lease ends", time::relative_and_exact(self.leased_until.as_ref()).filter(|_| is_there)),
            ("held until", self.held().filter(|_| is_there)),
            ("memory", self.memory_mib.map(|mib| format!("{mib} MiB"))),
            ("CPUs", self.cpus.map(|cpus| cpus.to_string())),
            ("disk", self.disk_mib.map(|mib| format!("{mib} MiB"))),
            ("changed", time::relative_and_exact(self.changed_at.as_ref())),
            ("stuck", time::relative_and_exact(self.stuck_since.as_ref())),
        ])
    }
}
