//! `sproutctl appliance watch`: each change of an appliance until it is gone. The changes are the data here.

use sprout_client::{Watch, Watched};

use super::{appliance_of, find};
use crate::{args::appliance::Which, context::Context, failure::Failure, output::progress::stamped};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.appliance).await?.id;
    let mut watch = Watch::appliance(&connection, id);
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(message) => {
                let appliance = appliance_of(message.appliance)?;
                context.out.item(&appliance, &stamped(&appliance.line(&message.message)))?;
            }
            Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => context.out.note("connected again"),
        }
    }
    Ok(())
}
