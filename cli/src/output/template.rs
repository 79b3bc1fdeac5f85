//! Templates as they are shown.

use serde::Serialize;
use sprout_client::proto::template::{PlannedTemplate, Template, TemplateAction, TemplateState};

use super::{Card, Row, facts, lower, some, time};
use crate::failure::Failure;

/// One template.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else, as the server does")]
pub(crate) struct TemplateView {
    id: u64,
    name: String,
    provider: String,
    group: String,
    version: String,
    date: String,
    state: String,
    found_at: Option<String>,
    failure_count: u32,
    quarantine_reason: String,
    specimen_id: Option<u64>,
    next_try_at: Option<String>,
    suggested_for_deletion: bool,
    obsolete: bool,
    parent_id: Option<u64>,
    unconfigured: bool,
    workflow_id: Option<u64>,
    step: String,
    verified_version: String,
    preparation_error: String,
    unusable_reason: String,
    ga_released: bool,
    custom_data: serde_json::Value,
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
            failure_count: t.failure_count,
            quarantine_reason: t.quarantine_reason,
            specimen_id: t.specimen_id,
            next_try_at: time::rfc3339(t.next_try_at),
            suggested_for_deletion: t.suggested_for_deletion,
            obsolete: t.obsolete,
            parent_id: t.parent_id,
            unconfigured: t.unconfigured,
            workflow_id: t.workflow_id,
            step: t.step,
            verified_version: t.verified_version,
            preparation_error: t.preparation_error,
            unusable_reason: t.unusable_reason,
            ga_released: t.ga_released,
            // What is no JSON, of a newer server, is a text.
            custom_data: match &*t.custom_data {
                "" => serde_json::Value::Null,
                said => serde_json::from_str(said).unwrap_or_else(|_| said.into()),
            },
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
            self.state_and_step(),
            self.provider.clone(),
            self.name.clone(),
        ]
    }
}

impl TemplateView {
    /// Where it is in its life, and in its preparation.
    fn state_and_step(&self) -> String {
        if self.step.is_empty() { self.state.clone() } else { format!("{} ({})", self.state, self.step) }
    }
}

impl Card for TemplateView {
    fn text(&self) -> String {
        let failures = (self.failure_count > 0).then(|| self.failure_count.to_string());
        facts(&[
            ("template", Some(self.id.to_string())),
            ("name", some(self.name.clone())),
            ("provider", Some(self.provider.clone())),
            ("group", Some(self.group.clone())),
            ("version", Some(self.version.clone())),
            ("date", some(self.date.clone())),
            ("state", Some(self.state_and_step())),
            ("workflow", self.workflow_id.map(|id| id.to_string())),
            ("released", self.ga_released.then(|| "to everyone, as its catalogue says".to_owned())),
            ("catalogue says", (!self.custom_data.is_null()).then(|| self.custom_data.to_string())),
            ("prepared from", self.parent_id.map(|id| format!("template {id}"))),
            ("unconfigured", self.unconfigured.then(|| "to be prepared before it is used".to_owned())),
            ("version inside", some(self.verified_version.clone())),
            ("not prepared", some(self.preparation_error.clone())),
            ("found", time::relative_and_exact(self.found_at.as_ref())),
            ("failures", failures),
            ("quarantine", some(self.quarantine_reason.clone())),
            ("specimen", self.specimen_id.map(|id| format!("appliance {id}"))),
            ("next try", time::relative_and_exact(self.next_try_at.as_ref())),
            ("not used", some(self.unusable_reason.clone())),
            ("obsolete", self.obsolete.then(|| "too old to be used for new appliances".to_owned())),
            ("suggested", self.suggested_for_deletion.then(|| "for deletion: a newer version works".to_owned())),
        ])
    }
}

/// What is to be done about a template.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedView {
    action: String,
    reason: String,
    template: TemplateView,
}

impl TryFrom<PlannedTemplate> for PlannedView {
    type Error = Failure;

    fn try_from(planned: PlannedTemplate) -> Result<Self, Failure> {
        Ok(Self {
            action: lower(planned.action, TemplateAction::as_str_name, "TEMPLATE_ACTION_"),
            reason: planned.reason,
            template: planned.template.ok_or(Failure::Incomplete("template"))?.into(),
        })
    }
}

impl Row for PlannedView {
    const PLURAL: &'static str = "templates";
    const COLUMNS: &'static [&'static str] = &["ACTION", "ID", "GROUP", "VERSION", "PROVIDER", "NAME", "REASON"];

    fn cells(&self) -> Vec<String> {
        let TemplateView { id, group, version, provider, name, .. } = &self.template;
        vec![
            self.action.clone(),
            id.to_string(),
            group.clone(),
            version.clone(),
            provider.clone(),
            name.clone(),
            self.reason.clone(),
        ]
    }
}
