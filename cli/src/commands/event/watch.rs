//! `sproutctl event watch`

use sprout_client::{Watch, Watched, proto::event::WatchRequest};

use crate::{args::other::Events, context::Context, failure::Failure, output::event::EventView};

pub(crate) async fn run(context: &Context<'_>, args: Events) -> Result<(), Failure> {
    let connection = context.connect()?;
    let kinds = args.kind.into_iter().map(i32::from).collect();
    let request = WatchRequest { after_sequence: args.after, pool_id: args.pool, appliance_id: args.appliance, kinds };
    let mut watch = Watch::events(&connection, request);
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(message) => {
                if let Some(event) = message.event.map(EventView::from) {
                    context.out.item(&event, &event.line())?;
                }
            }
            Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => context.out.note("connected again"),
        }
    }
    Ok(())
}
