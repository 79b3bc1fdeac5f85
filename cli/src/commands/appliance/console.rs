//! `sproutctl appliance console`

use sprout_client::proto::appliance::GetConsoleRequest;

use super::find;
use crate::{args::appliance::Which, context::Context, failure::Failure, output::appliance::ConsoleView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.appliance).await?.id;
    let answer = connection.appliances().get_console(GetConsoleRequest { id }).await;
    let url = answer.map_err(|status| connection.explain(status))?.into_inner().url;
    context.out.card(&ConsoleView { url })
}
