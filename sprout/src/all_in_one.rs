//! A server, and a worker and a web gateway that connect to it over loopback.

use std::{path::Path, time::Duration};

use sprout_conf::Secret;
use sprout_domain::WorkerId;
use sprout_server::{Options, Server, Settings, stop_signal};
use sprout_web_gateway::{Gateway, config::GatewayConfig};
use sprout_worker::{Identity, Leave, config::WorkerConfig};
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// The worker's id where its section names none: the same at every start, so that it is known again.
const WORKER: &str = "local";
/// How long the worker may take to leave once told to; then the server ends without it and notices by itself next time.
const LEAVE: Duration = Duration::from_secs(30);

/// What is run.
pub(crate) struct Parts {
    /// The server's configuration.
    pub(crate) settings: Settings,
    /// Make the schema of the database current first.
    pub(crate) migrate: bool,
    /// The worker's.
    pub(crate) worker: WorkerConfig,
    /// The web gateway's.
    pub(crate) gateway: GatewayConfig,
}

/// Serves until the process is told to stop.
pub(crate) async fn run(parts: Parts) -> Result<(), Error> {
    let Parts { settings, migrate, worker, gateway } = parts;
    if settings.server.tls.is_some() {
        return Err(Error::Tls);
    }
    let stop = stop_signal()?;
    let data_dir = settings.server.data_dir();
    // Made anew at every start: by it the server knows that the gateway says the truth of who calls.
    let proof = format!("{:032x}", rand::random::<u128>());
    let gateway_proof = Some(sprout_domain::Secret::new(proof.clone()));
    let options = Options { settings, migrate, version: env!("CARGO_PKG_VERSION"), gateway_proof };
    let server = Server::open(options).await?;
    let app = server.app().clone();
    let url = format!("http://{}", server.address());
    let gateway = Gateway::open(in_front_of(&url, &data_dir, gateway), Some(Secret::from(proof))).await?;
    tracing::info!("the web interface is at {}", gateway.url());
    let id = worker.id.clone().unwrap_or_else(|| WORKER.to_owned());
    // Made anew at every start, so that it is in no file; what a crash leaves behind is a hash that fits nothing.
    let token = app.create_worker_token(&WorkerId(id.clone())).await?;
    let options = WorkerConfig { server: Some(url.into()), ca: None, id: Some(id.clone()), ..worker };
    // In one process there is nothing to join, and over loopback no certificate to show.
    let identity = Identity::Credential(Secret::from(token.expose().to_owned()));
    let options = sprout_worker::Options { identity, ..options.into_options(None)? };

    let (shutdown, close) = (CancellationToken::new(), CancellationToken::new());
    let (leave, leaving) = watch::channel(Leave::Stay);
    let mut server = tokio::spawn(server.run(shutdown.clone()));
    let mut worker = tokio::spawn(sprout_worker::run(options, leaving));
    let mut gateway = tokio::spawn(gateway.run(close.clone().cancelled_owned()));
    let (mut worker_left, mut gateway_left) = (None, None);
    tokio::select! {
        () = stop.cancelled() => {}
        done = &mut worker => worker_left = Some(worker_ended(done)),
        done = &mut gateway => gateway_left = Some(gateway_ended(done)),
        done = &mut server => return server_ended(done),
    }
    // Who calls first, then the worker, while there is a server to hand its tasks back to.
    close.cancel();
    leave.send_replace(Leave::Finish);
    let worker_left = match worker_left {
        Some(left) => left,
        None => timeout(LEAVE, &mut worker).await.map_or_else(
            |_| {
                late(&worker);
                Ok(())
            },
            worker_ended,
        ),
    };
    let gateway_left = match gateway_left {
        Some(left) => left,
        None => gateway_ended(gateway.await),
    };
    if let Err(error) = app.logout(&id, &token).await {
        tracing::warn!(%error, "the worker's token is left in the database; nobody has it");
    }
    shutdown.cancel();
    server_ended(server.await)?;
    worker_left.and(gateway_left)
}

/// The gateway of this server; what it keeps is where the server keeps things.
fn in_front_of(url: &str, data_dir: &Path, config: GatewayConfig) -> GatewayConfig {
    let session_key_file = config.session_key_file.clone().or_else(|| Some(data_dir.join("session.key")));
    GatewayConfig { server: Some(url.to_owned().into()), ca: None, session_key_file, ..config }
}

type Ended<E> = Result<Result<(), E>, JoinError>;

fn worker_ended(ended: Ended<sprout_worker::Error>) -> Result<(), Error> {
    Ok(ended.map_err(|panic| sprout_server::Error::Ended(format!("the worker ended: {panic}")))??)
}

fn gateway_ended(ended: Ended<sprout_web_gateway::Error>) -> Result<(), Error> {
    Ok(ended.map_err(|panic| sprout_server::Error::Ended(format!("the web gateway ended: {panic}")))??)
}

fn server_ended(ended: Ended<sprout_server::Error>) -> Result<(), Error> {
    Ok(ended.map_err(|panic| sprout_server::Error::Ended(format!("the server ended: {panic}")))??)
}

fn late<T>(worker: &JoinHandle<T>) {
    tracing::warn!("the worker did not leave within {} s", LEAVE.as_secs());
    worker.abort();
}
