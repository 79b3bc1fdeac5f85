//! Providers as they are shown.

use serde::Serialize;
use sprout_client::proto::provider::{Capacity, CircuitState, Provider};

use super::{Card, Row, facts, lower, some, time};

/// One provider.
#[derive(Debug, Serialize)]
pub(crate) struct ProviderView {
    pub(crate) key: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    pub(crate) working: bool,
    pub(crate) disabled: bool,
    pub(crate) status: String,
    checked_at: Option<String>,
    provisioning_count: u32,
    provisioning_limit: u32,
    appliance_count: u32,
    appliance_limit: Option<u32>,
    template_count: u32,
    hidden: bool,
    circuit: String,
    circuit_reason: String,
    circuit_next_try_at: Option<String>,
    memory_mib: CapacityView,
    cpus: CapacityView,
}

/// How much there is of something.
#[derive(Debug, Default, Serialize)]
struct CapacityView {
    total: Option<u64>,
    used: u64,
    limit: Option<u64>,
}

impl From<Option<Capacity>> for CapacityView {
    fn from(capacity: Option<Capacity>) -> Self {
        let Capacity { total, used, limit } = capacity.unwrap_or_default();
        Self { total, used, limit }
    }
}

impl CapacityView {
    /// "12288 of 65536 MiB (98304 there)"; nothing where nothing is known.
    fn text(&self, unit: &str) -> Option<String> {
        let Self { total, used, limit } = self;
        let limit = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let there = total.map(|total| format!(" ({total} there)")).unwrap_or_default();
        (*used > 0 || !limit.is_empty() || !there.is_empty()).then(|| format!("{used}{limit}{unit}{there}"))
    }
}

impl From<Provider> for ProviderView {
    fn from(p: Provider) -> Self {
        Self {
            key: p.key,
            name: p.name,
            kind: p.r#type,
            working: p.working,
            disabled: p.disabled,
            status: p.status,
            checked_at: time::rfc3339(p.checked_at),
            provisioning_count: p.provisioning_count,
            provisioning_limit: p.provisioning_limit,
            appliance_count: p.appliance_count,
            appliance_limit: p.appliance_limit,
            template_count: p.template_count,
            hidden: p.hidden,
            circuit: lower(p.circuit, CircuitState::as_str_name, "CIRCUIT_STATE_"),
            circuit_reason: p.circuit_reason,
            circuit_next_try_at: time::rfc3339(p.circuit_next_try_at),
            memory_mib: p.memory_mib.into(),
            cpus: p.cpus.into(),
        }
    }
}

impl ProviderView {
    fn state(&self) -> &'static str {
        match self {
            Self { hidden: true, .. } => "hidden",
            Self { disabled: true, .. } => "disabled",
            Self { working: true, circuit, .. } if circuit == "open" => "circuit open",
            Self { working: true, circuit, .. } if circuit == "half_open" => "tried again",
            Self { working: true, .. } => "working",
            Self { checked_at: None, .. } => "unchecked",
            _ => "failing",
        }
    }

    fn appliances(&self) -> String {
        let limit = self.appliance_limit.map(|limit| format!("/{limit}")).unwrap_or_default();
        format!("{}{limit}", self.appliance_count)
    }

    fn provisioning(&self) -> String {
        format!("{}/{}", self.provisioning_count, self.provisioning_limit)
    }
}

impl Row for ProviderView {
    const PLURAL: &'static str = "providers";
    const COLUMNS: &'static [&'static str] =
        &["KEY", "TYPE", "STATE", "APPLIANCES", "PROVISIONING", "TEMPLATES", "CHECKED", "STATUS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.kind.clone(),
            self.state().to_owned(),
            self.appliances(),
            self.provisioning(),
            self.template_count.to_string(),
            time::relative(self.checked_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
            some(self.circuit_reason.clone()).unwrap_or_else(|| self.status.clone()),
        ]
    }
}

impl Card for ProviderView {
    fn text(&self) -> String {
        facts(&[
            ("provider", Some(self.key.clone())),
            ("name", some(self.name.clone())),
            ("type", Some(self.kind.clone())),
            ("state", Some(self.state().to_owned())),
            ("status", some(self.status.clone())),
            ("checked", time::relative_and_exact(self.checked_at.as_ref())),
            ("appliances", Some(self.appliances())),
            ("provisioning", Some(self.provisioning())),
            ("templates", Some(self.template_count.to_string())),
            ("memory", self.memory_mib.text(" MiB")),
            ("cpus", self.cpus.text("")),
            ("circuit", some(self.circuit_reason.clone())),
            ("next try", time::relative_and_exact(self.circuit_next_try_at.as_ref())),
        ])
    }
}
