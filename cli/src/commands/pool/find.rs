//! `sproutctl pool find`

use sprout_client::proto::pool::ListPoolsRequest;

use crate::{args::pool_change::Find, commands::page, context::Context, failure::Failure, output::pool::PoolView};

pub(crate) async fn run(context: &Context<'_>, args: Find) -> Result<(), Failure> {
    let connection = context.connect()?;
    let (whole, part) = if args.exact { (Some(args.text), None) } else { (None, Some(args.text)) };
    let pools = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListPoolsRequest {
            owner: args.owner.clone(),
            description: whole.clone(),
            description_part: part.clone(),
            page_size,
            page_token,
            ..ListPoolsRequest::default()
        };
        let page = connection.pools().list_pools(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.pools, page.next_page_token))
    })
    .await?;
    context.out.list(&pools.into_iter().map(PoolView::listed).collect::<Vec<_>>())
}
