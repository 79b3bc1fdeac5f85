//! `sproutctl provider list`

use sprout_client::proto::provider::ListProvidersRequest;

use crate::{context::Context, failure::Failure, output::provider::ProviderView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.providers().list_providers(ListProvidersRequest {}).await;
    let providers = answer.map_err(|status| connection.explain(status))?.into_inner().providers;
    context.out.list(&providers.into_iter().map(ProviderView::from).collect::<Vec<_>>())
}
