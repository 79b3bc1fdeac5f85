//! `TemplateService`.

use std::sync::Arc;

use sprout_app::{App, ports::TemplateFilter};
use sprout_domain::{
    Error,
    template::{Template, TemplateState},
};
use sprout_proto::template::{self as proto, template_service_server::TemplateService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::Wire,
    page::PageRequest,
    status::{status, unbuilt},
};

/// Serves templates.
pub(crate) struct TemplateApi {
    pub(crate) app: Arc<App>,
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
        let filter: TemplateFilter = Wire(request).try_into().map_err(status)?;
        // The template a page ended with may be gone meanwhile, but keeps its place in the order.
        let all = TemplateFilter { with_gone: true, ..filter.clone() };
        let found = self.app.templates(&caller, &all).await.map_err(status)?;
        let (mut templates, with_gone) = (after(found, page).map_err(status)?, filter.with_gone);
        templates.retain(|template| with_gone || template.state != TemplateState::Gone);
        let next_page_token = page.cut(&mut templates, |template| template.id.0);
        let templates = templates.into_iter().map(|template| Wire(template).into()).collect();
        Ok(Response::new(proto::ListTemplatesResponse { templates, next_page_token }))
    }

    async fn get_template(
        &self,
        _: Request<proto::GetTemplateRequest>,
    ) -> Result<Response<proto::GetTemplateResponse>, Status> {
        Err(unbuilt())
    }

    async fn release_template(
        &self,
        _: Request<proto::ReleaseTemplateRequest>,
    ) -> Result<Response<proto::ReleaseTemplateResponse>, Status> {
        Err(unbuilt())
    }

    async fn delete_template(
        &self,
        _: Request<proto::DeleteTemplateRequest>,
    ) -> Result<Response<proto::DeleteTemplateResponse>, Status> {
        Err(unbuilt())
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
