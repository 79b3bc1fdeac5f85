//! What happened to one thing, the latest first.

use sprout_client::{Connection, proto::event::ListEventsRequest};

use crate::{commands::page, context::Context, failure::Failure, output::event::EventView};

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
