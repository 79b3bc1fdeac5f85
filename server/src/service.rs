//! The server as a service: opened with options, then run until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sprout_api::{Api, Forwarders, api};
use sprout_app::App;
use sprout_config::TlsConfig;
use sprout_domain::Secret;
use sprout_fleet::Fleet;
use sprout_reconcile::{self as reconcile, Options as Periods};
use sprout_trackerbot::Trackerbots;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::{
    Certificate, Identity, ServerTlsConfig,
    server::{Server as Transport, TcpIncoming},
};

use crate::{
    Error, Settings,
    builds::HttpIndex,
    metrics::{self, Metrics},
    reload::Reload,
    wiring::{self, FleetSessions, Wired},
};

/// Calls under way when the server is told to stop may take this long.
const GRACE: Duration = Duration::from_secs(10);
/// A client unheard of for this long is asked whether it lives, and given this long to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// How a server is to run.
#[derive(Debug)]
pub struct Options {
    /// Configuration.
    pub settings: Settings,
    /// Make the schema of the database current first. Only where no other server can be using it.
    pub migrate: bool,
    /// Version of the program, told to workers and clients.
    pub version: &'static str,
    /// Proof by which a web gateway in this process is known.
    pub gateway_proof: Option<Secret>,
}

/// A server that has its port and its database, and does not serve yet.
pub struct Server {
    listener: TcpListener,
    metrics: Option<TcpListener>,
    transport: Transport,
    wired: Wired,
    address: SocketAddr,
    encrypted: bool,
    periods: Periods,
    reload: Reload,
    version: &'static str,
    forwarders: Forwarders,
}

impl Server {
    /// Takes the port, then opens the database and the logs. What fails leaves nothing behind.
    ///
    /// # Errors
    /// If one of them cannot be had; the error says which and what to do.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let Settings { server, catalogue, loaded } = options.settings;
        for note in &loaded.notes {
            tracing::warn!("{note}");
        }
        // Read and tried before anything is opened.
        let identity = identity(server.tls.as_ref()).await?;
        transport(server.tls.as_ref(), identity.clone())?;
        let listen = |source| Error::Listen { address: server.listen, source };
        let listener = TcpListener::bind(server.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let metrics = match server.metrics_listen {
            Some(address) => {
                let listen = |source| Error::Listen { address, source };
                Some(TcpListener::bind(address).await.map_err(listen)?)
            }
            None => None,
        };
        if options.migrate {
            let applied = wiring::migrate(&server).await?;
            if !applied.is_empty() {
                tracing::info!(changes = applied.len(), "the schema of the database is current now");
            }
        }
        let wired = Wired::open(&server, catalogue).await?;
        let tls = match identity {
            Some(tls) => match wired.app.authority_certificate().await {
                // Whoever shows a certificate must have it from there; clients other than workers show none.
                Ok(pem) => Some(tls.client_ca_root(Certificate::from_pem(pem)).client_auth_optional(true)),
                Err(error) => {
                    wired.close().await;
                    return Err(error.into());
                }
            },
            None => None,
        };
        let transport = transport(server.tls.as_ref(), tls)?;
        // Which server it was is read in the history of jobs; the random part tells its lives apart.
        let name = format!("{address} {:08x}", rand::random::<u32>());
        let periods = Periods {
            check_interval: server.check_interval.0,
            refresh_interval: server.refresh_interval.0,
            catalogue_interval: server.catalogue_interval.0,
            listings: Arc::new(Trackerbots::default()),
            keep_results: server.keep_results.0,
            keep_audit: server.keep_audit.0,
            server: name,
            index: HttpIndex::new().ok().map(|index| Arc::new(index) as _),
            ticks: true,
        };
        let encrypted = server.tls.is_some();
        let forwarders = Forwarders { addresses: server.trusted_proxies.clone(), proof: options.gateway_proof };
        let reload = match Reload::new(wired.app.clone(), server, loaded) {
            Ok(reload) => reload,
            Err(error) => {
                wired.close().await;
                return Err(error);
            }
        };
        Ok(Self {
            listener,
            metrics,
            transport,
            wired,
            address,
            encrypted,
            periods,
            reload,
            version: options.version,
            forwarders,
        })
    }

    /// The address it listens on, with the port it really has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The use cases, for whoever runs in the same process.
    pub fn app(&self) -> &Arc<App> {
        &self.wired.app
    }

    /// Serves until `shutdown`; then takes nothing new, ends streams (clients and workers reconnect elsewhere, or here after a
    /// restart), and lets calls under way finish.
    ///
    /// # Errors
    /// If a part of it fails that it cannot do without.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let app = self.wired.app.clone();
        let fleet = Fleet::new(app.clone(), self.version);
        let Api { routes, drain, meter } =
            api(app.clone(), FleetSessions(fleet.clone()), self.version, self.forwarders)
                .await
                .map_err(|e| Error::Api(e.to_string()))?;
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        let stop_accepting = CancellationToken::new();
        let mut transport = self.transport;
        let serving = transport
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop_accepting.clone().cancelled_owned());
        let mut serving = tokio::spawn(serving);
        let background = CancellationToken::new();
        let mut activities = tokio::spawn(reconcile::run(app.clone(), self.periods, background.clone()));
        let mut dispatcher = tokio::spawn(fleet.clone().run());
        let mut reload = tokio::spawn(self.reload.run(background.clone()));
        let health = tokio::spawn({
            let (drain, answers) = (drain.clone(), app.database_answers());
            async move { drain.follow(answers).await }
        });
        // Until the very end: how a server stops is to be seen, too.
        let metrics = self.metrics.map(|listener| {
            if let Ok(address) = listener.local_addr() {
                metrics::announce(address);
            }
            let (store, version) = (self.wired.store.clone(), self.version);
            tokio::spawn(metrics::serve(listener, Metrics { app: app.clone(), store, meter, version }))
        });
        let scheme = if self.encrypted { "https" } else { "http" };
        // Whoever looks at a provider knows ours by the id.
        tracing::info!(installation_id = self.wired.app.installation_id(), "listening on {scheme}://{}", self.address);

        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = &mut serving => Err(Error::Ended(format!("the server stopped serving: {}", told(ended)))),
            ended = &mut activities => Err(Error::Ended(told(ended))),
            ended = &mut reload => Err(Error::Ended(format!("the watch on configuration ended: {}", told(ended.map(Ok::<_, Error>))))),
            ended = &mut dispatcher => Err(Error::Ended(format!("the dispatcher ended: {}", told(ended.map(Ok::<_, Error>))))),
        };
        tracing::info!("stopping");
        stop_accepting.cancel();
        health.abort();
        drain.begin().await;
        fleet.close();
        if !serving.is_finished() && timeout(GRACE, &mut serving).await.is_err() {
            tracing::warn!("calls did not end within {} s and are cut off", GRACE.as_secs());
            serving.abort();
        }
        dispatcher.abort();
        background.cancel();
        if !activities.is_finished() {
            // Each drops what it is doing at once; an error would be one that was reported before.
            let _ = timeout(GRACE, activities).await;
        }
        if let Some(metrics) = metrics {
            metrics.abort();
        }
        self.wired.close().await;
        tracing::info!("stopped");
        result
    }
}

/// Why a task ended that should not have.
fn told<T, E: std::fmt::Display>(ended: Result<Result<T, E>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(_)) => "without an error".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Certificate and key, where they are configured.
async fn identity(tls: Option<&TlsConfig>) -> Result<Option<ServerTlsConfig>, Error> {
    let Some(TlsConfig { cert, key }) = tls else { return Ok(None) };
    let read = async |path: &std::path::PathBuf| {
        tokio::fs::read(path).await.map_err(|source| Error::File { path: path.clone(), source })
    };
    Ok(Some(ServerTlsConfig::new().identity(Identity::from_pem(read(cert).await?, read(key).await?))))
}

/// HTTP/2, with TLS where it is configured.
fn transport(configured: Option<&TlsConfig>, tls: Option<ServerTlsConfig>) -> Result<Transport, Error> {
    let transport =
        Transport::builder().http2_keepalive_interval(Some(KEEPALIVE.0)).http2_keepalive_timeout(Some(KEEPALIVE.1));
    let (Some(TlsConfig { cert, key }), Some(tls)) = (configured, tls) else { return Ok(transport) };
    transport.tls_config(tls).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::Tls { cert: cert.clone(), key: key.clone(), reason }
    })
}
