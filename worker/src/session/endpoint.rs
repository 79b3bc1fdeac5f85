//! A server over the network: address, TLS, and noticing that the other end is dead.

use std::{convert::Infallible, fs, path::Path, sync::Arc};

use async_trait::async_trait;
use futures::StreamExt as _;
use sprout_conf::Secret;
use sprout_proto::worker::{
    Hello, SessionRequest, session_request::Message as Says, worker_service_client::WorkerServiceClient,
};
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::Error;
use crate::{
    identity::{Badge, Holder},
    link::{Connector, Link},
};

/// A connection, with TLS, is made in this time or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life this often …
const PING: Duration = Duration::from_secs(2);
/// … and is dead without one after this long: noticed within 6 s, in time to be heard by another server before the lease is over.
const PONG: Duration = Duration::from_secs(4);
/// Messages on their way to the connection. What is still there when it breaks is lost, results excepted, which are repeated.
const OUTGOING: usize = 64;
/// A certificate is renewed in this time, or the next server is asked.
const RENEWAL: Duration = Duration::from_secs(30);
/// After all servers failed to renew it, they are asked again.
const RETRY: Duration = Duration::from_secs(5 * 60);
/// The calendar is looked at this often.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// Alerts of TLS that mean our certificate.
const ALERTS: [&str; 7] = [
    "AccessDenied",
    "BadCertificate",
    "CertificateExpired",
    "CertificateRevoked",
    "CertificateUnknown",
    "DecryptError",
    "UnknownCA",
];

/// A server at a URL.
#[derive(Clone)]
pub(crate) struct Remote {
    server: String,
    endpoint: Endpoint,
    tls: Option<ClientTlsConfig>,
    holder: Arc<Holder>,
}

impl Remote {
    /// The server at this URL; `ca`: the certificates that sign its own, if not those the system trusts.
    pub(crate) fn new(server: &str, ca: Option<&Path>, holder: Arc<Holder>) -> Result<Self, Error> {
        let (endpoint, tls) = build(server, ca)?;
        if let Some(tls) = &tls {
            with_tls(&endpoint, tls.clone()).map_err(|message| {
                Error::Options(format!("TLS for {server} cannot be set up: {message}; correct worker.ca"))
            })?;
        }
        Ok(Self { server: server.to_owned(), endpoint, tls, holder })
    }

    /// A new connection, on which this badge's certificate is shown.
    async fn channel(&self, badge: Option<&Badge>) -> Result<Channel, Status> {
        let mut endpoint = self.endpoint.clone();
        if let Some(mut tls) = self.tls.clone() {
            if let Some(certificate) = badge.and_then(Badge::certificate) {
                tls = tls.identity(certificate);
            }
            endpoint = with_tls(&endpoint, tls)
                .map_err(|message| Status::unauthenticated(format!("the certificate cannot be used: {message}")))?;
        }
        endpoint.connect().await.map_err(|error| unreached(&error))
    }

    async fn session(&self, badge: &Badge, hello: Hello) -> Result<Link, Status> {
        let channel = self.channel(Some(badge)).await?;
        let (says, said) = mpsc::channel(OUTGOING);
        // The channel is new and empty: this cannot fail.
        let _ = says.try_send(SessionRequest { message: Some(Says::Hello(hello)) });
        let mut request = Request::new(ReceiverStream::new(said));
        request.metadata_mut().insert("authorization", badge.bearer()?);
        let hears = WorkerServiceClient::new(channel).session(request).await.map_err(explained)?.into_inner();
        Ok(Link { says, hears: hears.boxed() })
    }

    async fn join(&self, token: &Secret) -> Result<Arc<Badge>, Status> {
        self.holder.join(self.channel(None).await?, token).await
    }

    /// Has the certificate renewed there.
    pub(crate) async fn renew(&self) -> Result<(), Status> {
        let work = async { self.holder.renew(self.channel(self.holder.badge().as_deref()).await?).await };
        timeout(RENEWAL, work).await.map_err(|_| Status::deadline_exceeded("the server does not answer"))?
    }
}

#[async_trait]
impl Connector for Remote {
    fn server(&self) -> &str {
        &self.server
    }

    async fn connect(&self, hello: Hello) -> Result<Link, Status> {
        let Some(badge) = self.holder.badge() else {
            let token = self.holder.fresh_token()?;
            let token = token
                .ok_or_else(|| Status::unauthenticated("this worker has not joined, and its join token is gone"))?;
            return self.session(&*self.join(&token).await?, hello).await;
        };
        let refused = match self.session(&badge, hello.clone()).await {
            Err(status) if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) => status,
            answer => return answer,
        };
        // Only what is refused is replaced: a token that was left lying about is no reason to join anew.
        let Some(token) = self.holder.fresh_token()? else { return Err(refused) };
        tracing::warn!(server = self.server, "this worker is refused: {}; joining anew", refused.message());
        self.session(&*self.join(&token).await?, hello).await
    }
}

/// Renews the certificate in time, at whichever server can, for as long as this worker runs.
pub(crate) async fn keep_certified(holder: &Holder, servers: &[Remote]) -> Infallible {
    let mut changes = holder.changes();
    loop {
        let pause = match holder.renew_in() {
            Some(Duration::ZERO) => {
                if renewed(servers).await {
                    continue;
                }
                RETRY
            }
            // By the calendar, which also goes on while a machine sleeps.
            due => due.unwrap_or(LOOK).min(LOOK),
        };
        let _ = timeout(pause, changes.changed()).await;
    }
}

async fn renewed(servers: &[Remote]) -> bool {
    for server in servers {
        match server.renew().await {
            Ok(()) => return true,
            Err(error) => {
                let message = error.message();
                tracing::warn!(server = server.server, "the certificate could not be renewed: {message}; trying again");
            }
        }
    }
    false
}

/// Why no connection came about.
fn unreached(error: &tonic::transport::Error) -> Status {
    explained(Status::unavailable(innermost(error)))
}

/// A server that does not accept our certificate can say so only by an alert of TLS, which is then all that is known of the connection's end.
fn explained(status: Status) -> Status {
    let cause = std::error::Error::source(&status).map_or_else(|| status.message().to_owned(), innermost);
    if ALERTS.iter().any(|alert| cause.ends_with(&format!("received fatal alert: {alert}"))) {
        return Status::unauthenticated(format!("the server does not accept this worker's certificate ({cause})"));
    }
    status
}

fn with_tls(endpoint: &Endpoint, tls: ClientTlsConfig) -> Result<Endpoint, String> {
    endpoint.clone().tls_config(tls).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error} {source}")
    })
}

/// The innermost cause: the outer ones say "transport error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn build(server: &str, ca: Option<&Path>) -> Result<(Endpoint, Option<ClientTlsConfig>), Error> {
    let unusable = |why: &str| {
        Error::Options(format!("{server} is not an address of a server ({why}); give one like http://127.0.0.1:7600"))
    };
    let endpoint = Endpoint::from_shared(server.to_owned()).map_err(|error| unusable(&error.to_string()))?;
    let scheme = endpoint.uri().scheme_str().unwrap_or_default().to_owned();
    if !matches!(scheme.as_str(), "http" | "https") || endpoint.uri().host().is_none() {
        return Err(unusable("it has to start with http:// or https://, and a host"));
    }
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true);
    if scheme == "http" {
        return match ca {
            None => Ok((endpoint, None)),
            Some(_) => Err(unusable("worker.ca is for https://")),
        };
    }
    let mut tls = ClientTlsConfig::new().timeout(CONNECT);
    tls = match ca {
        None => tls.with_native_roots(),
        Some(path) => {
            let pem = fs::read(path).map_err(|error| {
                let path = path.display();
                Error::Options(format!("the certificates in {path} cannot be read: {error}; correct worker.ca"))
            })?;
            tls.ca_certificate(Certificate::from_pem(pem))
        }
    };
    Ok((endpoint, Some(tls)))
}
