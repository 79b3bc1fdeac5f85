//! `sproutctl catalogue name`

use sprout_client::proto::catalogue::ReadNamesRequest;

use crate::{args::catalogue::Name, context::Context, failure::Failure, output::catalogue::ReadingView};

pub(super) async fn run(context: &Context<'_>, Name { names }: Name) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.catalogue().read_names(ReadNamesRequest { names }).await;
    let readings = answer.map_err(|status| connection.explain(status))?.into_inner().readings;
    context.out.list(&readings.into_iter().map(ReadingView::from).collect::<Vec<_>>())
}
