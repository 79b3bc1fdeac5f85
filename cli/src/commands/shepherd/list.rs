//! `sproutctl shepherd list`

use sprout_client::proto::shepherd::ListShepherdsRequest;

use crate::{args::shepherd::List, context::Context, failure::Failure, output::shepherd::ShepherdView};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = ListShepherdsRequest { group: args.group, user_group: args.user_group };
    let answer = connection.shepherds().list_shepherds(request).await;
    let shepherds = answer.map_err(|status| connection.explain(status))?.into_inner().shepherds;
    context.out.list(&shepherds.into_iter().map(ShepherdView::from).collect::<Vec<_>>())
}
