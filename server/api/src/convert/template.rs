//! Templates on the wire.

use sprout_app::ports::TemplateFilter;
use sprout_domain::{
    Error,
    obsolete::{Action, Verdict},
    template::{Template, TemplateState, TemplateType},
};
use sprout_proto::template as proto;

use super::{Wire, moment, optional_text};

impl TryFrom<Wire<proto::ListTemplatesRequest>> for TemplateFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListTemplatesRequest>) -> Result<Self, Error> {
        Ok(Self {
            group: optional_text("group", request.group)?.as_deref().map(Into::into),
            provider: optional_text("provider", request.provider)?.as_deref().map(Into::into),
            with_gone: request.include_gone,
            ..Self::default()
        })
    }
}

impl From<Wire<Template>> for proto::Template {
    fn from(Wire(template): Wire<Template>) -> Self {
        Self {
            id: template.id.into(),
            name: template.name,
            provider: template.provider.0,
            group: template.group.0,
            version: template.version.to_string(),
            date: super::build_date(template.date),
            state: match template.state {
                TemplateState::Preparing => proto::TemplateState::Preparing,
                TemplateState::Ready => proto::TemplateState::Ready,
                TemplateState::Quarantined => proto::TemplateState::Quarantined,
                TemplateState::Retiring => proto::TemplateState::Retiring,
                TemplateState::Gone => proto::TemplateState::Gone,
            }
            .into(),
            found_at: Some(moment(template.found_at)),
            r#type: template_type(Some(template.template_type)),
            unconfigured: template.unconfigured,
            failure_count: template.failure_count,
            quarantine_reason: template.quarantine_reason,
            specimen_id: template.specimen_id.map(Into::into),
            next_try_at: template.next_try_at.map(moment),
            suggested_for_deletion: template.suggested_for_deletion,
            obsolete: template.obsolete,
            parent_id: template.parent_id.map(Into::into),
            workflow_id: None,
            step: String::new(),
            verified_version: template.verified_version,
            preparation_error: template.preparation.error,
            unusable_reason: template.said.unusable,
            ga_released: template.said.ga_released,
            custom_data: template.said.custom_data,
        }
    }
}

impl From<Wire<(Template, Verdict)>> for proto::PlannedTemplate {
    fn from(Wire((template, verdict)): Wire<(Template, Verdict)>) -> Self {
        let action = match verdict.action {
            Action::Suggest => proto::TemplateAction::Suggest,
            Action::Disuse => proto::TemplateAction::Disuse,
            Action::Delete => proto::TemplateAction::Delete,
            Action::Keep => proto::TemplateAction::Keep,
        };
        Self { template: Some(Wire(template).into()), action: action.into(), reason: verdict.reason }
    }
}

/// The number of a type; of any, if there is none.
pub(super) fn template_type(template_type: Option<TemplateType>) -> i32 {
    match template_type {
        None => proto::TemplateType::Unspecified,
        Some(TemplateType::VirtualMachine) => proto::TemplateType::VirtualMachine,
        Some(TemplateType::Container) => proto::TemplateType::Container,
        Some(TemplateType::DockerVm) => proto::TemplateType::DockerVm,
    }
    .into()
}

impl From<Wire<proto::TemplateType>> for Option<TemplateType> {
    fn from(Wire(template_type): Wire<proto::TemplateType>) -> Self {
        match template_type {
            proto::TemplateType::Unspecified => None,
            proto::TemplateType::VirtualMachine => Some(TemplateType::VirtualMachine),
            proto::TemplateType::Container => Some(TemplateType::Container),
            proto::TemplateType::DockerVm => Some(TemplateType::DockerVm),
        }
    }
}
