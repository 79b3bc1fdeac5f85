//! What happened, the latest first: to one thing, or to all that the caller may see.

use sprout_client::{Connection, proto::event::ListEventsRequest};

use crate::{args::other::EventList, commands::page, context::Context, failure::Failure, output::event::EventView};

/// `sproutctl event list`
pub(crate) async fn all(context: &Context<'_>, args: EventList) -> Result<(), Failure> {
    let kinds = args.kind.into_iter().map(i32::from).collect();
    let request = ListEventsRequest { kinds, ..ListEventsRequest::default() };
    run(context, &context.connect()?, request, args.limit).await
}

pub(crate) async fn run(
    context: &Context<'_>,
    connection: &Connection,
    request: ListEventsRequest,
    limit: usize,
) -> Result<(), Failure> {
    let events = page::all(context.out, limit, async |page_size, page_token| {
        let request = ListEventsRequest { page_size, page_token, ..request.clone() };
        let page = connection.events().list_events(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.events, page.next_page_token))
    })
    .await?;
    context.out.list(&events.into_iter().map(EventView::from).collect::<Vec<_>>())
}
