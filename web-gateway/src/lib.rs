//! The web gateway: what browsers and clients without gRPC talk to. It keeps nothing that matters: any number of it can stand before the servers.

mod assets;
mod client;
pub mod config;
mod health;
mod json_api;
mod page;
mod proxy;
mod session;
mod trust;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::HeaderValue,
    middleware,
    response::Response,
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use sprout_client::{
    ClientError, Connection, Settings,
    proto::user::{Role, WhoAmIRequest},
};
use sprout_conf::Secret;
use tokio_util::sync::CancellationToken;

use self::{
    config::{GatewayConfig, TlsConfig},
    json_api::JsonApi,
    proxy::Proxy,
    session::{Sessions, session_key},
    trust::Trust,
};

/// Calls under way may take this long to end when the gateway stops.
const GRACE: Duration = Duration::from_secs(10);

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The server's address or certificates cannot be used.
    #[error(transparent)]
    Server(#[from] ClientError),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address} ({source}); choose another one with web_gateway.listen or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error(
        "the certificate {cert} with the key {key} cannot be used ({source}); both must be PEM files that belong together"
    )]
    Tls {
        /// The certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Serving ended by itself.
    #[error("serving ended ({0})")]
    Serve(io::Error),
}

/// A gateway that listens.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    routes: Router,
    own: Option<Connection>,
    stopping: CancellationToken,
}

impl Gateway {
    /// Binds the address. Calls that come from now on are answered once [`Gateway::run`] runs. By `proof` a server in the same process knows the
    /// gateway; others know it by its address.
    pub async fn open(config: GatewayConfig, proof: Option<Secret>) -> Result<Self, Error> {
        let server = Connection::open(Settings { ca: config.ca.clone(), ..Settings::new(config.servers()) })?;
        let own = config.own_token()?.map(|token| server.with_token(&token)).transpose()?;
        let tls = match &config.tls {
            Some(files) => Some(rustls(files).await?),
            None => None,
        };
        let listen = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        if tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "other machines can connect without TLS: passwords are taken only from proxies named in trusted_proxies, and only if these say that \
                 the client came by https"
            );
        }
        let trust = Trust {
            tls: tls.is_some(),
            proxies: config.trusted_proxies.iter().map(std::net::IpAddr::to_canonical).collect(),
            plain: config.allow_plain_passwords,
            proof: proof.and_then(|proof| HeaderValue::try_from(proof.expose()).ok()),
        };
        let key = session_key(&config)?;
        let (idle, lifetime) = (config.session_idle(), config.session_lifetime());
        let sessions = Sessions::new(server.clone(), trust.clone(), &key, idle, lifetime);
        let stopping = CancellationToken::new();
        let proxy = Proxy::new(sessions.clone(), stopping.clone());
        let routes = JsonApi::new(server.clone(), own.clone(), trust)
            .routes()
            .merge(health::routes(server))
            .merge(session::routes(sessions))
            .fallback(move |peer, request| elsewhere(proxy.clone(), peer, request))
            .layer(middleware::map_response(page::guarded))
            .layer(middleware::from_fn(told));
        Ok(Self { listener, address, tls, routes, own, stopping })
    }

    /// Where browsers find it, with the port it really has.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` ends, and then what is under way.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let handle = Handle::new();
        let stop = tokio::spawn({
            let (handle, stopping) = (handle.clone(), self.stopping);
            async move {
                shutdown.await;
                stopping.cancel();
                handle.graceful_shutdown(Some(GRACE));
            }
        });
        let asked = tokio::spawn(who_am_i(self.own));
        let service = self.routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = match self.tls {
            Some(tls) => {
                axum_server::from_tcp_rustls(self.listener, tls)
                    .map_err(Error::Serve)?
                    .handle(handle)
                    .serve(service)
                    .await
            }
            None => axum_server::from_tcp(self.listener).map_err(Error::Serve)?.handle(handle).serve(service).await,
        };
        asked.abort();
        stop.abort();
        served.map_err(Error::Serve)
    }
}

async fn rustls(files: &TlsConfig) -> Result<RustlsConfig, Error> {
    RustlsConfig::from_pem_file(&files.cert, &files.key).await.map_err(|source| Error::Tls {
        cert: files.cert.clone(),
        key: files.key.clone(),
        source,
    })
}

/// Says in the log as whom calls without authentication are answered, for those who wonder what they see.
async fn who_am_i(own: Option<Connection>) {
    let Some(own) = own else {
        tracing::info!("calls of the JSON API that name no user are refused: the gateway has no token of its own");
        return;
    };
    match own.users().who_am_i(WhoAmIRequest {}).await.map_err(|status| own.explain(status)) {
        Ok(answer) => {
            let user = answer.into_inner().user.unwrap_or_default();
            let sees = match user.role() {
                Role::Staff | Role::Superuser => "everything",
                Role::User | Role::Bot | Role::Unspecified => "what this user's groups see",
            };
            tracing::info!(user = user.name, sees, "calls of the JSON API that name no user are answered as this user");
        }
        Err(error) => tracing::warn!(%error, "the gateway's own token was not checked"),
    }
}

/// What has no path of its own: calls of browsers, and the pages that make them.
async fn elsewhere(proxy: Proxy, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    if request.uri().path().starts_with(proxy::PREFIX) {
        return proxy.call(peer, request).await;
    }
    assets::answer(request.method(), request.uri().path(), request.headers())
}

async fn told(request: Request, next: middleware::Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
    response
}
