//! Templates on the wire.

use sprout_app::ports::TemplateFilter;
use sprout_domain::{
    Error,
    template::{Template, TemplateState},
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
                TemplateState::Ready => proto::TemplateState::Ready,
                TemplateState::Gone => proto::TemplateState::Gone,
            }
            .into(),
            found_at: Some(moment(template.found_at)),
        }
    }
}
