//! Templates as they are shown.

use serde::Serialize;
use sprout_client::proto::template::{Template, TemplateState};

use super::{Row, lower, some, time};

/// One template.
#[derive(Debug, Serialize)]
pub(crate) struct TemplateView {
    id: u64,
    name: String,
    provider: String,
    group: String,
    version: String,
    date: String,
    state: String,
    found_at: Option<String>,
}

impl From<Template> for TemplateView {
    fn from(t: Template) -> Self {
        Self {
            id: t.id,
            name: t.name,
            provider: t.provider,
            group: t.group,
            version: t.version,
            date: t.date,
            state: lower(t.state, TemplateState::as_str_name, "TEMPLATE_STATE_"),
            found_at: time::rfc3339(t.found_at),
        }
    }
}

impl Row for TemplateView {
    const PLURAL: &'static str = "templates";
    const COLUMNS: &'static [&'static str] = &["ID", "GROUP", "VERSION", "DATE", "STATE", "PROVIDER", "NAME"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.group.clone(),
            self.version.clone(),
            some(self.date.clone()).unwrap_or_else(|| "-".to_owned()),
            self.state.clone(),
            self.provider.clone(),
            self.name.clone(),
        ]
    }
}
