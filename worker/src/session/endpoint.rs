//! A server over the network: address, TLS, and noticing that the other end is dead.

use std::{fs, path::Path};

use async_trait::async_trait;
use futures::StreamExt as _;
use sprout_conf::Secret;
use sprout_proto::worker::{
    Hello, SessionRequest, session_request::Message as Says, worker_service_client::WorkerServiceClient,
};
use tokio::{sync::mpsc, time::Duration};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

use super::Error;
use crate::link::{Connector, Link};

/// A connection, with TLS, is made in this time or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life this often …
const PING: Duration = Duration::from_secs(2);
/// … and is dead without one after this long: noticed within 6 s, in time to be heard by another server before the lease is over.
const PONG: Duration = Duration::from_secs(4);
/// Messages on their way to the connection. What is still there when it breaks is lost, results excepted, which are repeated.
const OUTGOING: usize = 64;

/// A server at a URL.
pub(crate) struct Remote {
    server: String,
    endpoint: Endpoint,
    bearer: MetadataValue<Ascii>,
}

impl Remote {
    /// The server at this URL; `ca`: the certificates that sign its own, if not those the system trusts.
    pub(crate) fn new(server: &str, ca: Option<&Path>, token: &Secret) -> Result<Self, Error> {
        let mut bearer = MetadataValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
            Error::Options("the worker's token has characters that no token has; copy it again".to_owned())
        })?;
        bearer.set_sensitive(true);
        Ok(Self { server: server.to_owned(), endpoint: build(server, ca)?, bearer })
    }
}

#[async_trait]
impl Connector for Remote {
    fn server(&self) -> &str {
        &self.server
    }

    async fn connect(&self, hello: Hello) -> Result<Link, Status> {
        let channel = self.endpoint.connect().await.map_err(|error| Status::unavailable(innermost(&error)))?;
        let (says, said) = mpsc::channel(OUTGOING);
        // The channel is new and empty: this cannot fail.
        let _ = says.try_send(SessionRequest { message: Some(Says::Hello(hello)) });
        let mut request = Request::new(ReceiverStream::new(said));
        request.metadata_mut().insert("authorization", self.bearer.clone());
        let hears = WorkerServiceClient::new(channel).session(request).await?.into_inner();
        Ok(Link { says, hears: hears.boxed() })
    }
}

/// The innermost cause: the outer ones say "transport error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn build(server: &str, ca: Option<&Path>) -> Result<Endpoint, Error> {
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
            None => Ok(endpoint),
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
    endpoint.tls_config(tls).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Error::Options(format!("TLS for {server} cannot be set up: {error} {source}; correct worker.ca"))
    })
}
