//! `sproutctl provider check`: starts a check, and waits for the event that ends it if told to.

use std::time::Duration;

use sprout_client::{
    Connection, Watch, Watched,
    proto::{
        event::{EventKind, WatchRequest, WatchResponse},
        provider::CheckProviderRequest,
    },
};

use super::{check_all, get};
use crate::{args::other::Check, commands::wait::Bound, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Check) -> Result<(), Failure> {
    let connection = context.connect()?;
    match args.key {
        Some(key) => one(context, &connection, key, args.wait, args.timeout).await,
        None => check_all::run(context, &connection, args.wait, args.timeout).await,
    }
}

async fn one(
    context: &Context<'_>,
    connection: &Connection,
    key: String,
    waits: bool,
    timeout: Duration,
) -> Result<(), Failure> {
    let mut watch = Watch::events(connection, WatchRequest::default());
    let check = async {
        if waits {
            // The stream is open before the check begins, so its end cannot be missed.
            next(context, &mut watch).await?;
        }
        let request = CheckProviderRequest { key: key.clone() };
        let answer = connection.providers().check_provider(request).await;
        let workflow_id = answer.map_err(|status| connection.explain(status))?.into_inner().workflow_id;
        context.out.note(&format!("provider {key} is being checked (workflow {workflow_id})"));
        if waits { checked(context, &mut watch, &key, workflow_id).await } else { Ok(()) }
    };
    let bound = Bound {
        timeout: Some(timeout),
        late: format!("the check of provider {key} has not ended yet"),
        hint: "is a worker for its type connected? `sproutctl worker list` shows them".to_owned(),
    };
    bound.on(check).await?;
    outcome(context, connection, key, waits).await
}

async fn outcome(context: &Context<'_>, connection: &Connection, key: String, waited: bool) -> Result<(), Failure> {
    let provider = get::get(connection, key).await?;
    context.out.card(&provider)?;
    if waited && !provider.working {
        let message = format!("provider {} does not work: {}", provider.key, provider.status);
        return Err(Failure::Outcome { message, hint: "the server's log says more".to_owned() });
    }
    Ok(())
}

async fn checked(
    context: &Context<'_>,
    watch: &mut Watch<WatchResponse>,
    key: &str,
    workflow_id: u64,
) -> Result<(), Failure> {
    loop {
        let Some(event) = next(context, watch).await?.event else { continue };
        let is_it = event.kind() == EventKind::ProviderChecked && event.provider.as_deref() == Some(key);
        if is_it && event.workflow_id == Some(workflow_id) {
            return Ok(());
        }
    }
}

async fn next(context: &Context<'_>, watch: &mut Watch<WatchResponse>) -> Result<WatchResponse, Failure> {
    loop {
        match watch.next().await.ok_or(Failure::Incomplete("event"))?? {
            Watched::Message(message) => return Ok(message),
            Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => context.out.note("connected again"),
        }
    }
}
