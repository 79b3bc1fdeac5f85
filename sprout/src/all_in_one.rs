//! A server, and a worker that connects to it over loopback.

use std::time::Duration;

use sprout_conf::Secret;
use sprout_domain::WorkerId;
use sprout_server::{Options, Server, Settings, stop_signal};
use sprout_worker::{Identity, Leave, config::WorkerConfig};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// The worker's id where its section names none: the same at every start, so that it is known again.
const WORKER: &str = "local";
/// How long the worker may take to leave once told to; then the server ends without it and notices by itself next time.
const LEAVE: Duration = Duration::from_secs(30);

/// Serves until the process is told to stop.
pub(crate) async fn run(settings: Settings, migrate: bool, worker: WorkerConfig) -> Result<(), Error> {
    if settings.server.tls.is_some() {
        return Err(Error::Tls);
    }
    let stop = stop_signal()?;
    let server = Server::open(Options { settings, migrate, version: env!("CARGO_PKG_VERSION") }).await?;
    let app = server.app().clone();
    let id = worker.id.clone().unwrap_or_else(|| WORKER.to_owned());
    // Made anew at every start, so that it is in no file; what a crash leaves behind is a hash that fits nothing.
    let token = app.create_worker_token(&WorkerId(id.clone())).await?;
    let options = WorkerConfig {
        server: Some(format!("http://{}", server.address()).into()),
        ca: None,
        id: Some(id.clone()),
        ..worker
    };
    // In one process there is nothing to join, and over loopback no certificate to show.
    let identity = Identity::Credential(Secret::from(token.expose().to_owned()));
    let options = sprout_worker::Options { identity, ..options.into_options(None)? };

    let shutdown = CancellationToken::new();
    let (leave, leaving) = watch::channel(Leave::Stay);
    let mut server = tokio::spawn(server.run(shutdown.clone()));
    let mut worker = tokio::spawn(sprout_worker::run(options, leaving));
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = &mut worker => Some(worker_ended(ended)),
        ended = &mut server => return server_ended(ended),
    };
    // The worker first, while there is a server to hand its tasks back to.
    leave.send_replace(Leave::Finish);
    let left = match ended {
        Some(ended) => ended,
        None => timeout(LEAVE, &mut worker).await.map_or_else(
            |_| {
                late(&worker);
                Ok(())
            },
            worker_ended,
        ),
    };
    if let Err(error) = app.logout(&id, &token).await {
        tracing::warn!(%error, "the worker's token is left in the database; nobody has it");
    }
    shutdown.cancel();
    server_ended(server.await)?;
    left
}

fn worker_ended(ended: Result<Result<(), sprout_worker::Error>, tokio::task::JoinError>) -> Result<(), Error> {
    Ok(ended.map_err(|panic| sprout_server::Error::Ended(format!("the worker ended: {panic}")))??)
}

fn server_ended(ended: Result<Result<(), sprout_server::Error>, tokio::task::JoinError>) -> Result<(), Error> {
    Ok(ended.map_err(|panic| sprout_server::Error::Ended(format!("the server ended: {panic}")))??)
}

fn late<T>(worker: &tokio::task::JoinHandle<T>) {
    tracing::warn!("the worker did not leave within {} s", LEAVE.as_secs());
    worker.abort();
}
