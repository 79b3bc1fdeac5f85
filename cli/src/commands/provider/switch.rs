//! `sproutctl provider enable|disable|hide|show|close-circuit`: what staff decide about a provider.

use sprout_client::proto::provider::{CloseCircuitRequest, Provider, UpdateProviderRequest};

use crate::{args::other::Key, context::Context, failure::Failure, output::provider::ProviderView};

pub(crate) async fn enable(context: &Context<'_>, args: Key) -> Result<(), Failure> {
    update(context, args, (Some(false), None), "is used for new appliances again").await
}

pub(crate) async fn disable(context: &Context<'_>, args: Key) -> Result<(), Failure> {
    update(context, args, (Some(true), None), "is used for no new appliances; those that are there stay").await
}

pub(crate) async fn hide(context: &Context<'_>, args: Key) -> Result<(), Failure> {
    update(context, args, (None, Some(true)), "is seen by staff alone, and used for no new appliances").await
}

pub(crate) async fn show(context: &Context<'_>, args: Key) -> Result<(), Failure> {
    update(context, args, (None, Some(false)), "is seen by its user groups again").await
}

pub(crate) async fn close_circuit(context: &Context<'_>, Key { key }: Key) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.providers().close_circuit(CloseCircuitRequest { key }).await;
    let provider = answer.map_err(|status| connection.explain(status))?.into_inner().provider;
    tell(context, provider, "has its circuit closed: deployments go there again")
}

async fn update(
    context: &Context<'_>,
    Key { key }: Key,
    (disabled, hidden): (Option<bool>, Option<bool>),
    says: &str,
) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.providers().update_provider(UpdateProviderRequest { key, disabled, hidden }).await;
    tell(context, answer.map_err(|status| connection.explain(status))?.into_inner().provider, says)
}

fn tell(context: &Context<'_>, provider: Option<Provider>, says: &str) -> Result<(), Failure> {
    let provider = provider.map(ProviderView::from).ok_or(Failure::Incomplete("provider"))?;
    context.out.note(&format!("provider {} {says}", provider.key));
    context.out.card(&provider)
}
