//! `sproutctl provider list`

use sprout_client::{ClientError, Connection, proto::provider::ListProvidersRequest};

use crate::{context::Context, failure::Failure, output::provider::ProviderView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    context.out.list(&list(&context.connect()?).await?)
}

pub(super) async fn list(connection: &Connection) -> Result<Vec<ProviderView>, ClientError> {
    let answer = connection.providers().list_providers(ListProvidersRequest {}).await;
    let providers = answer.map_err(|status| connection.explain(status))?.into_inner().providers;
    Ok(providers.into_iter().map(ProviderView::from).collect())
}
