//! Methods on providers.

use std::collections::BTreeSet;

use sprout_client::{
    proto::provider::{CheckProviderRequest, ListProvidersRequest, Provider, UpdateProviderRequest},
    retry,
};

use super::{Call, args::Args, failure::Failure, method::Answer};

pub(super) async fn list(call: &Call, _: &Args) -> Answer {
    Ok(usable(call).await?.into_iter().map(|provider| provider.key).collect())
}

pub(super) async fn types(call: &Call, _: &Args) -> Answer {
    let types: BTreeSet<_> = usable(call).await?.into_iter().map(|provider| provider.r#type).collect();
    Ok(types.into_iter().collect())
}

/// Providers are added in the configuration; what is left to do here is to have one used.
pub(super) async fn add(call: &Call, args: &Args) -> Answer {
    let (connection, key) = (call.connection()?, args.text("provider_key")?);
    let update = UpdateProviderRequest { key: key.clone(), disabled: Some(false), hidden: Some(false) };
    let updated = retry(async || {
        connection.providers().update_provider(update.clone()).await.map_err(|status| connection.explain(status))
    });
    match updated.await {
        Err(error) if error.reason() == Some("PROVIDER_NOT_FOUND") => {
            let message = format!("{key} is not in cfme_data.yaml: describe it there, then call this again");
            return Err(Failure::exception("KeyError", message));
        }
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    let check = CheckProviderRequest { key };
    let checked = retry(async || {
        connection.providers().check_provider(check.clone()).await.map_err(|status| connection.explain(status))
    });
    checked.await?;
    Ok(true.into())
}

async fn usable(call: &Call) -> Result<Vec<Provider>, Failure> {
    let connection = call.connection()?;
    let found = retry(async || {
        connection
            .providers()
            .list_providers(ListProvidersRequest {})
            .await
            .map_err(|status| connection.explain(status))
    });
    let mut providers = found.await?.into_inner().providers;
    providers.retain(|provider| provider.working && !provider.disabled);
    Ok(providers)
}
