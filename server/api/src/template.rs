//! `TemplateService`.

use std::sync::Arc;

use futures::TryStreamExt as _;
use sprout_app::{App, ports::TemplateFilter};
use sprout_domain::{
    Error, TemplateId,
    template::{Template, TemplateState},
};
use sprout_proto::template::{self as proto, template_service_server::TemplateService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    appliance_log, auth,
    convert::{Wire, id, optional_text},
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
};

/// Serves templates.
pub(crate) struct TemplateApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl TemplateService for TemplateApi {
    async fn list_templates(
        &self,
        request: Request<proto::ListTemplatesRequest>,
    ) -> Result<Response<proto::ListTemplatesResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let wanted = Wanted::read(&request).map_err(status)?;
        let filter: TemplateFilter = Wire(request).try_into().map_err(status)?;
        // The template a page ended with may be gone meanwhile, but keeps its place in the order.
        let all = TemplateFilter { with_gone: true, ..filter.clone() };
        let found = self.app.templates(&caller, &all).await.map_err(status)?;
        let mut templates = after(found, page).map_err(status)?;
        templates.retain(|template| wanted.has(template));
        let next_page_token = page.cut(&mut templates, |template| template.id.0);
        let templates = self.told(templates).await.map_err(status)?;
        Ok(Response::new(proto::ListTemplatesResponse { templates, next_page_token }))
    }

    async fn get_template(
        &self,
        request: Request<proto::GetTemplateRequest>,
    ) -> Result<Response<proto::GetTemplateResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = TemplateId(id("id", request.into_inner().id).map_err(status)?);
        let template = self.app.template(&caller, id).await.map_err(status)?;
        let template = self.told(vec![template]).await.map_err(status)?.pop();
        Ok(Response::new(proto::GetTemplateResponse { template }))
    }

    async fn release_template(
        &self,
        request: Request<proto::ReleaseTemplateRequest>,
    ) -> Result<Response<proto::ReleaseTemplateResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = TemplateId(id("id", request.into_inner().id).map_err(status)?);
        let template = self.app.release_template(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::ReleaseTemplateResponse { template: Some(Wire(template).into()) }))
    }

    async fn delete_template(
        &self,
        request: Request<proto::DeleteTemplateRequest>,
    ) -> Result<Response<proto::DeleteTemplateResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = TemplateId(id("id", request.into_inner().id).map_err(status)?);
        let (template, workflow) = self.app.delete_template(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::DeleteTemplateResponse {
            template: Some(Wire(template).into()),
            workflow_id: workflow.map(Into::into),
        }))
    }

    async fn prepare_template(
        &self,
        request: Request<proto::PrepareTemplateRequest>,
    ) -> Result<Response<proto::PrepareTemplateResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = TemplateId(id("id", request.into_inner().id).map_err(status)?);
        let (template, workflow) = self.app.prepare_template(&caller, id).await.map_err(status)?;
        let template = self.told(vec![template]).await.map_err(status)?.pop();
        Ok(Response::new(proto::PrepareTemplateResponse { template, workflow_id: workflow.into() }))
    }

    type WatchTemplateLogsStream = BoxStream<proto::WatchTemplateLogsResponse>;

    async fn watch_template_logs(
        &self,
        request: Request<proto::WatchTemplateLogsRequest>,
    ) -> Result<Response<Self::WatchTemplateLogsStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = TemplateId(id("id", request.id).map_err(status)?);
        let appliance = self.app.workshop(&caller, id).await.map_err(status)?;
        let lines = appliance_log::watch(self.app.clone(), caller, appliance, request.follow).await.map_err(status)?;
        let lines = lines.map_ok(|said| proto::WatchTemplateLogsResponse { line: said.line });
        Ok(streaming(lines, self.draining.clone()))
    }

    async fn plan(&self, request: Request<proto::PlanRequest>) -> Result<Response<proto::PlanResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::PlanRequest { group, provider } = request.into_inner();
        let group = optional_text("group", group).map_err(status)?.as_deref().map(Into::into);
        let provider = optional_text("provider", provider).map_err(status)?.as_deref().map(Into::into);
        let planned = self.app.plan_templates(&caller, group.as_ref(), provider.as_ref()).await.map_err(status)?;
        let templates = planned.into_iter().map(|planned| Wire(planned).into()).collect();
        Ok(Response::new(proto::PlanResponse { templates }))
    }
}

impl TemplateApi {
    /// Templates with how they are being prepared.
    async fn told(&self, templates: Vec<Template>) -> Result<Vec<proto::Template>, Error> {
        let preparing = templates.iter().filter(|template| template.state == TemplateState::Preparing);
        let under_way = self.app.preparations(&preparing.map(|template| template.id).collect::<Vec<_>>()).await?;
        let tell = |template: Template| {
            let goes = under_way.iter().find(|goes| goes.template_id == template.id);
            proto::Template {
                workflow_id: goes.map(|goes| goes.workflow_id.into()),
                step: goes.and_then(|goes| goes.step).map(|step| step.as_str().to_owned()).unwrap_or_default(),
                ..Wire(template).into()
            }
        };
        Ok(templates.into_iter().map(tell).collect())
    }
}

/// Which templates are asked for, of those that match otherwise.
struct Wanted {
    /// In one of these states; empty: in any but gone.
    states: Vec<TemplateState>,
    with_gone: bool,
    suggested_for_deletion: bool,
    ga_released: bool,
}

impl Wanted {
    fn read(request: &proto::ListTemplatesRequest) -> Result<Self, Error> {
        let state = |number: &i32| {
            proto::TemplateState::try_from(*number).ok().and_then(template_state).ok_or_else(|| {
                let message =
                    format!("no template is in state {number}; use preparing, ready, quarantined, retiring or gone");
                Error::invalid("states", message)
            })
        };
        Ok(Self {
            states: request.states.iter().map(state).collect::<Result<_, _>>()?,
            with_gone: request.include_gone,
            suggested_for_deletion: request.suggested_for_deletion,
            ga_released: request.ga_released,
        })
    }

    fn has(&self, template: &Template) -> bool {
        let state = match self.states.as_slice() {
            [] => self.with_gone || template.state != TemplateState::Gone,
            states => states.contains(&template.state),
        };
        state
            && (template.suggested_for_deletion || !self.suggested_for_deletion)
            && (template.said.ga_released || !self.ga_released)
    }
}

/// The state of this name; none of those in which no template can be.
fn template_state(state: proto::TemplateState) -> Option<TemplateState> {
    match state {
        proto::TemplateState::Preparing => Some(TemplateState::Preparing),
        proto::TemplateState::Ready => Some(TemplateState::Ready),
        proto::TemplateState::Quarantined => Some(TemplateState::Quarantined),
        proto::TemplateState::Retiring => Some(TemplateState::Retiring),
        proto::TemplateState::Gone => Some(TemplateState::Gone),
        proto::TemplateState::Unspecified | proto::TemplateState::Found => None,
    }
}

/// What follows the last template of the page before.
fn after(mut sorted: Vec<Template>, page: PageRequest) -> Result<Vec<Template>, Error> {
    let Some(last) = page.after else { return Ok(sorted) };
    match sorted.iter().position(|template| template.id.0 == last) {
        Some(at) => Ok(sorted.split_off(at + 1)),
        None => Err(Error::invalid("page_token", "the page before is not of this list; begin again without a token")),
    }
}
