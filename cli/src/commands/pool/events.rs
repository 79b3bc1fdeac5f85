//! `sproutctl pool events`

use sprout_client::proto::event::ListEventsRequest;

use crate::{args::pool_change::Events, commands::event::list, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Events) -> Result<(), Failure> {
    let request = ListEventsRequest { pool_id: Some(args.id), ..ListEventsRequest::default() };
    list::run(context, &context.connect()?, request, args.limit).await
}
