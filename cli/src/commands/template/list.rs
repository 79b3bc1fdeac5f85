//! `sproutctl template list`

use sprout_client::proto::template::ListTemplatesRequest;

use crate::{
    args::other::Templates, commands::page, context::Context, failure::Failure, output::template::TemplateView,
};

pub(crate) async fn run(context: &Context<'_>, args: Templates) -> Result<(), Failure> {
    let connection = context.connect()?;
    let templates = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListTemplatesRequest {
            group: args.group.clone(),
            provider: args.provider.clone(),
            include_gone: args.gone,
            suggested_for_deletion: args.suggested,
            ga_released: args.released,
            page_size,
            page_token,
            ..ListTemplatesRequest::default()
        };
        let page = connection.templates().list_templates(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.templates, page.next_page_token))
    })
    .await?;
    context.out.list(&templates.into_iter().map(TemplateView::from).collect::<Vec<_>>())
}
