//! Refusals of the gateway's own, in the form of the server's.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Whose reasons they are.
const DOMAIN: &str = "sprout";
/// When to come back while the server is away.
const RETRY: Duration = Duration::from_secs(1);

/// What the gateway refuses, or cannot do.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    /// There is no session, or it has ended.
    NotSignedIn,
    /// A page of somebody else's asks; this is what was wrong.
    CrossOrigin(String),
    /// No such rpc, or none for browsers.
    UnknownRpc,
    /// The request is larger than this many bytes.
    TooLarge(usize),
    /// The request did not arrive within this time.
    Slow(Duration),
    /// The request is no message; this is what is wrong.
    Malformed(&'static str),
    /// Nobody answers at the server; the call was not sent.
    Away,
    /// The connection to the server broke after the call was sent.
    Lost,
    /// The server did not answer in time.
    Deadline,
    /// The gateway stops.
    Stopping,
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let (code, reason, message) = match &refused {
            Refused::NotSignedIn => (
                Code::Unauthenticated,
                "NOT_SIGNED_IN",
                "you are not signed in, or no longer; sign in again".to_owned(),
            ),
            Refused::CrossOrigin(what) => (Code::PermissionDenied, "CROSS_ORIGIN", what.clone()),
            Refused::UnknownRpc => (
                Code::Unimplemented,
                "UNKNOWN_RPC",
                "there is no such call for browsers; see the API reference, or call the server itself by gRPC"
                    .to_owned(),
            ),
            Refused::TooLarge(most) => (
                Code::OutOfRange,
                "MESSAGE_TOO_LARGE",
                format!("a request has at most {} MiB; send less in one call", most >> 20),
            ),
            Refused::Slow(limit) => (
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                format!("the request did not arrive within {} s; send it again", limit.as_secs()),
            ),
            Refused::Malformed(what) => (
                Code::InvalidArgument,
                "INVALID_ARGUMENT",
                format!("the body is not one grpc-web message: {what}; reload the page, or update the client"),
            ),
            Refused::Away => (
                Code::Unavailable,
                "SERVER_UNREACHABLE",
                "the server cannot be reached now; try again in a moment".to_owned(),
            ),
            Refused::Lost => (
                Code::Unavailable,
                "SERVER_UNREACHABLE",
                "the connection to the server was lost, so it is not known whether this was done; look, then try again"
                    .to_owned(),
            ),
            Refused::Deadline => (
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                "the server did not answer in time, so it is not known whether this was done; look, then try again"
                    .to_owned(),
            ),
            Refused::Stopping => (
                Code::Unavailable,
                "SERVER_DRAINING",
                "the gateway is stopping; the next one goes on where this stopped".to_owned(),
            ),
        };
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        match refused {
            Refused::Away | Refused::Lost => drop(details.set_retry_info(Some(RETRY))),
            Refused::Stopping => drop(details.set_retry_info(Some(Duration::ZERO))),
            _ => {}
        }
        Self::with_error_details(code, message, details)
    }
}
