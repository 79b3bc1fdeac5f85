//! Proofs of readiness: one try each, judged by what comes back. Repeating, pauses and deadlines are the `wait_ready` step's.

mod http;
mod ssh;
mod tcp;

use std::{error::Error, fmt, io};

use sprout_proto::{appliance::Endpoint, group::probe::Check};
use tokio::time::{Duration, timeout};

/// Why a try failed, in a few words for a status line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn io(error: &io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::ConnectionRefused => "connection refused".into(),
            io::ErrorKind::ConnectionReset => "connection reset".into(),
            io::ErrorKind::HostUnreachable => "host unreachable".into(),
            io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
            io::ErrorKind::UnexpectedEof => "connection closed".into(),
            _ => error.to_string(),
        })
    }

    /// From the innermost cause: the outer ones only say that a request failed.
    fn from_chain(error: &(dyn Error + 'static)) -> Self {
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        cause.downcast_ref().map_or_else(|| Self(cause.to_string()), Self::io)
    }
}

/// Tries once, for at most `limit`.
pub(crate) async fn attempt(check: &Check, endpoint: &Endpoint, limit: Duration) -> Result<(), Failure> {
    let Ok(port) = u16::try_from(endpoint.port) else {
        return Err(Failure::new(format!("{} is no port", endpoint.port)));
    };
    let host = endpoint.host.as_str();
    let result = match check {
        Check::Http(probe) => timeout(limit, http::attempt(probe, host, port)).await,
        Check::Tcp(_) => timeout(limit, tcp::attempt(host, port)).await,
        Check::Ssh(_) => timeout(limit, ssh::attempt(host, port)).await,
    };
    result.unwrap_or_else(|_| Err(Failure::new(format!("no answer within {limit:?}"))))
}

#[cfg(test)]
mod tests;
