//! `sproutctl appliance events`

use sprout_client::proto::event::ListEventsRequest;

use super::find;
use crate::{args::hold::Events, commands::event::list, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Events) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.which.appliance).await?.id;
    let request = ListEventsRequest { appliance_id: Some(id), ..ListEventsRequest::default() };
    list::run(context, &connection, request, args.limit).await
}
