//! How to reach the server: address, TLS, and noticing that the other end is dead.

use std::fs;

use tokio::time::Duration;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::{Error, Options};

/// A connection, with TLS, is made in this time or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life this often …
const PING: Duration = Duration::from_secs(4);
/// … and is dead without one after this long: noticed within 9 s.
const PONG: Duration = Duration::from_secs(5);

impl Options {
    pub(crate) fn new(options: &crate::Options) -> Self {
        let hello = sprout_proto::worker::Hello {
            worker_id: options.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: options.labels.clone(),
            provider_types: options.drivers.types().to_vec(),
            slots: options.slots,
            lane_slots: Vec::new(),
            leaving: false,
            running: Vec::new(),
        };
        Self { server: options.server.clone(), ca: options.ca.clone(), token: options.token.clone(), hello }
    }
}

pub(super) fn build(options: &Options) -> Result<Endpoint, Error> {
    let server = &options.server;
    let unusable = |why: &str| {
        Error::Options(format!("{server} is not an address of a server ({why}); give one like http://127.0.0.1:7600"))
    };
    let endpoint = Endpoint::from_shared(server.clone()).map_err(|error| unusable(&error.to_string()))?;
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
        return match &options.ca {
            None => Ok(endpoint),
            Some(_) => Err(unusable("worker.ca is for https://")),
        };
    }
    let mut tls = ClientTlsConfig::new().timeout(CONNECT);
    tls = match &options.ca {
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
