//! `sproutctl template get|release`

use sprout_client::proto::template::{GetTemplateRequest, ReleaseTemplateRequest};

use crate::{args::other::TemplateId, context::Context, failure::Failure, output::template::TemplateView};

pub(crate) async fn run(context: &Context<'_>, TemplateId { id }: TemplateId) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.templates().get_template(GetTemplateRequest { id }).await;
    let template = answer.map_err(|status| connection.explain(status))?.into_inner().template;
    context.out.card(&template.map(TemplateView::from).ok_or(Failure::Incomplete("template"))?)
}

pub(crate) async fn release(context: &Context<'_>, TemplateId { id }: TemplateId) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.templates().release_template(ReleaseTemplateRequest { id }).await;
    let template = answer.map_err(|status| connection.explain(status))?.into_inner().template;
    context.out.note(&format!("template {id} is used again; its specimen, if there was one, is being killed"));
    context.out.card(&template.map(TemplateView::from).ok_or(Failure::Incomplete("template"))?)
}
