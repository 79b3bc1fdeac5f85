//! `sproutctl appliance list`

use sprout_client::proto::appliance::ListAppliancesRequest;

use crate::{
    args::appliance::List, commands::page, context::Context, failure::Failure, output::appliance::ApplianceView,
};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let appliances = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListAppliancesRequest {
            pool_id: args.pool,
            provider: args.provider.clone(),
            group: args.group.clone(),
            states: Vec::new(),
            warm: args.warm,
            owner: args.owner.clone(),
            expired_and_held: args.expired_and_held,
            stuck: args.stuck,
            page_size,
            page_token,
        };
        let page = connection.appliances().list_appliances(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.appliances, page.next_page_token))
    })
    .await?;
    context.out.list(&appliances.into_iter().map(ApplianceView::from).collect::<Vec<_>>())
}
