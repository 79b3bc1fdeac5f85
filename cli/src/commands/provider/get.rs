//! `sproutctl provider get`

use sprout_client::{Connection, proto::provider::GetProviderRequest};

use crate::{args::other::Key, context::Context, failure::Failure, output::provider::ProviderView};

pub(crate) async fn run(context: &Context<'_>, args: Key) -> Result<(), Failure> {
    context.out.card(&get(&context.connect()?, args.key).await?)
}

pub(super) async fn get(connection: &Connection, key: String) -> Result<ProviderView, Failure> {
    let answer = connection.providers().get_provider(GetProviderRequest { key }).await;
    let provider = answer.map_err(|status| connection.explain(status))?.into_inner().provider;
    provider.map(ProviderView::from).ok_or(Failure::Incomplete("provider"))
}
