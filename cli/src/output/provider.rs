//! Providers as they are shown.

use serde::Serialize;
use sprout_client::proto::provider::Provider;

use super::{Card, Row, facts, some, time};

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
        }
    }
}

impl ProviderView {
    fn state(&self) -> &'static str {
        match self {
            Self { disabled: true, .. } => "disabled",
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
            self.status.clone(),
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
        ])
    }
}
