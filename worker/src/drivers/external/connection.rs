//! The connection to a provider process: made at the first call, shared by all, made anew by itself when it broke.

use std::{fmt, sync::OnceLock, time::Duration};

use sprout_conf::Secret;
use sprout_proto::{provider::driver_service_client::DriverServiceClient, worker::ExternalSettings};
use tokio::time::timeout;
use tonic::{
    Request, Response, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use super::failure;
use crate::driver::{DriverError, Reason, Result};

/// Looks end within this time.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// Changes end, or are certain to, within this time.
pub(super) const SLOW: Duration = Duration::from_mins(2);
/// A connection is made within this time.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection on which a call waits is proven alive so often, and given up after as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) type Client = DriverServiceClient<InterceptedService<Channel, Bearer>>;

/// Sends the token with each call.
#[derive(Clone)]
pub(super) struct Bearer(Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Where a provider is, and the way there.
pub(super) struct Connection {
    /// For messages.
    place: String,
    endpoint: Endpoint,
    bearer: Bearer,
    /// Made by the first call, since it needs a run time.
    client: OnceLock<Client>,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Connection {
    /// Checks the settings; connects to nothing.
    pub(super) fn new(settings: &ExternalSettings) -> Result<Self> {
        let url = settings.endpoint.trim_end_matches('/');
        let wrong = || {
            invalid(format!(
                "the provider's `endpoint` is {url:?}; write http://host:port, https://host:port or unix:///path"
            ))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let fine = match scheme {
            "unix" => rest.starts_with('/'),
            "http" | "https" => !rest.is_empty() && !rest.contains(['/', '@']),
            _ => false,
        };
        if !fine {
            return Err(wrong());
        }
        let mut endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|_| wrong())?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        if scheme == "https" {
            let mut tls = ClientTlsConfig::new();
            tls = match settings.ca_pem.as_str() {
                "" => tls.with_native_roots(),
                pem => tls.ca_certificate(Certificate::from_pem(pem)),
            };
            endpoint = endpoint.tls_config(tls).map_err(|error| {
                invalid(format!("the provider's `ca` cannot be used: {error}; name a file of PEM certificates"))
            })?;
        }
        let token = Secret::from(settings.token.clone());
        Ok(Self { place: format!("the provider at {url}"), endpoint, bearer: bearer(&token)?, client: OnceLock::new() })
    }

    /// One call, over within `limit`. `what` follows "could not" in messages.
    pub(super) async fn call<Q, A>(
        &self,
        limit: Duration,
        what: &str,
        request: Q,
        send: impl AsyncFnOnce(Client, Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A> {
        let client = self.client.get_or_init(|| {
            let channel = self.endpoint.connect_lazy();
            DriverServiceClient::with_interceptor(channel, self.bearer.clone())
        });
        let mut request = Request::new(request);
        request.set_timeout(limit);
        match timeout(limit, send(client.clone(), request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.failure(what, limit, &status)),
            Err(_) => Err(self.no_answer(what, limit)),
        }
    }

    /// What a status means.
    pub(super) fn failure(&self, what: &str, limit: Duration, status: &Status) -> DriverError {
        failure::failure(&self.place, what, limit, status)
    }

    /// Nothing came in time.
    pub(super) fn no_answer(&self, what: &str, limit: Duration) -> DriverError {
        failure::no_answer(&self.place, what, limit)
    }
}

fn bearer(token: &Secret) -> Result<Bearer> {
    if token.expose().is_empty() {
        return Ok(Bearer(None));
    }
    let mut value = AsciiMetadataValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
        invalid(
            "the provider's `token` has characters that cannot be sent; use letters, digits and punctuation".to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(Bearer(Some(value)))
}

fn invalid(message: String) -> DriverError {
    DriverError::new(Reason::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str) -> ExternalSettings {
        ExternalSettings { endpoint: endpoint.into(), token: "hunter2".into(), ..Default::default() }
    }

    #[test]
    fn endpoints_are_http_https_or_unix() {
        for fine in ["http://127.0.0.1:7700", "https://lab.example:7700/", "unix:///run/sim.sock", "http://[::1]:7700"]
        {
            let connection = Connection::new(&settings(fine)).expect(fine);
            assert!(!format!("{connection:?} {:?}", settings(fine)).contains("hunter2"));
        }
        for wrong in ["", "127.0.0.1:7700", "unix://sim.sock", "ftp://x", "http://", "http://a/b", "http://u:hunter2@h"]
        {
            let error = Connection::new(&settings(wrong)).expect_err(wrong);
            assert_eq!(error.reason, Reason::Invalid, "{error}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_told_and_not_shown() {
        let mut settings = settings("http://x:1");
        settings.token = "hun\nter2".into();
        let error = Connection::new(&settings).expect_err("a line break");
        assert_eq!(error.reason, Reason::Invalid);
        assert!(!error.message.contains("ter2"), "{error}");
    }
}
