//! Why a call failed: the server could not be asked, or it said no and why.

use std::{collections::HashMap, error::Error, fmt::Write as _, io, time::Duration};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::reason::Reason;

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The settings make no sense; nothing was sent.
    #[error("{message}")]
    Settings {
        /// What is wrong and what to do.
        message: String,
    },
    /// The server did not answer. What was asked may have been done or not.
    #[error("cannot reach the server at {server}: {cause}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// What happened on the way.
        cause: String,
        /// Nobody listens there: nothing was sent.
        refused: bool,
    },
    /// The server answered with an error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The answer lacks what the protocol promises.
    #[error("the server's answer has no {what}; server and client are of very different versions")]
    Incomplete {
        /// What is missing.
        what: &'static str,
    },
}

/// An error the server answered with.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its kind.
    pub code: Code,
    /// `google.rpc.ErrorInfo.reason`: what exactly, for programs. See [`ClientError::kind`] for it as a type.
    pub reason: Option<String>,
    /// What was wrong, for people.
    pub message: String,
    /// `google.rpc.ErrorInfo.metadata`: details that belong to the reason.
    pub metadata: HashMap<String, String>,
    /// `google.rpc.BadRequest`: which fields of the request are wrong.
    pub fields: Vec<FieldViolation>,
    /// `google.rpc.RetryInfo`: try again after this time.
    pub retry_after: Option<Duration>,
}

/// A wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its name in the proto.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = if self.message.is_empty() { self.code.description() } else { &self.message };
        f.write_str(message)?;
        for field in self.fields.iter().filter(|field| !message.contains(&field.description)) {
            write!(f, "; {}: {}", field.field, field.description)?;
        }
        Ok(())
    }
}

impl ClientError {
    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Self::Settings { message: message.into() }
    }

    /// Reads a status. One that was made on this side (it has a source) means that the server was not reached.
    pub fn from_status(server: &str, status: &Status) -> Self {
        if let Some(source) = status.source() {
            let cause =
                if find::<TimeoutExpired>(source).is_some() { "no answer in time".into() } else { chain(source) };
            let refused = find::<io::Error>(source).is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
            return Self::Unreachable { server: server.to_owned(), cause, refused };
        }
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        let field = |f: tonic_types::FieldViolation| FieldViolation { field: f.field, description: f.description };
        Self::Refused(Box::new(Refusal {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).filter(|reason| !reason.is_empty()),
            message: status.message().to_owned(),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            fields: fields.into_iter().map(field).collect(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }))
    }

    /// The kind of the error as a gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Settings { .. } => Code::InvalidArgument,
            Self::Unreachable { .. } => Code::Unavailable,
            Self::Refused(refusal) => refusal.code,
            Self::Incomplete { .. } => Code::Internal,
        }
    }

    /// What exactly the server refused, by its name on the wire; none if it did not say, or did not answer.
    pub fn reason(&self) -> Option<&str> {
        self.refusal().and_then(|refusal| refusal.reason.as_deref())
    }

    /// The same as a type; none also if it is not known here, because the server is newer.
    pub fn kind(&self) -> Option<Reason> {
        self.reason().and_then(Reason::named)
    }

    /// What the server answered, if it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Settings { .. } | Self::Unreachable { .. } | Self::Incomplete { .. } => None,
        }
    }

    /// Whether the same call may well succeed a moment later, on this server or another replica of it.
    pub fn is_unavailable(&self) -> bool {
        self.code() == Code::Unavailable
    }

    /// What to do about it, where this side can tell.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { refused: true, .. } => Some(
                "is the server running? Start it with `sprout` (all in one) or `sprout-server`, or name another one \
                 with --server or SPROUT_SERVER"
                    .to_owned(),
            ),
            Self::Unreachable { cause, .. } if cause.contains("certificate") => {
                Some("if your own CA signed the server's certificate, name it with --ca or SPROUT_CA".to_owned())
            }
            Self::Unreachable { .. } => {
                Some("check the address (--server or SPROUT_SERVER), the network, and the server's log".to_owned())
            }
            Self::Refused(refusal) => {
                refusal.retry_after.map(|after| format!("try again in {} s", after.as_secs_f64().ceil()))
            }
            Self::Settings { .. } | Self::Incomplete { .. } => None,
        }
    }
}

pub(crate) fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    causes(error).find_map(|e| e.downcast_ref())
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// An error with its causes in one line, each said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for part in causes(error).map(ToString::to_string) {
        if part == "transport error" || text.contains(&part) {
            continue;
        }
        let separator = if text.is_empty() { "" } else { ": " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{part}");
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn details_survive_the_wire() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info("COUNT_TOO_HIGH", "sprout", [("limit".to_owned(), "5".to_owned())])
            .add_bad_request_violation("count", "must be at most 5")
            .set_retry_info(Some(Duration::from_millis(1500)));
        let status = Status::with_error_details(Code::InvalidArgument, "the request is wrong", details);
        let error = ClientError::from_status("http://x", &status);
        assert_eq!(error.to_string(), "the request is wrong; count: must be at most 5");
        assert_eq!(error.hint().unwrap(), "try again in 2 s");
        assert_eq!((error.reason(), error.kind()), (Some("COUNT_TOO_HIGH"), None), "a reason of a newer server");
        let ClientError::Refused(refusal) = error else { panic!("{error:?}") };
        assert_eq!(refusal.reason.as_deref(), Some("COUNT_TOO_HIGH"));
        assert_eq!(refusal.metadata["limit"], "5");
    }

    #[test]
    fn reasons_are_types() {
        let details = ErrorDetails::with_error_info("NO_TEMPLATE", "sprout", [("group".to_owned(), "g".to_owned())]);
        let status = Status::with_error_details(Code::FailedPrecondition, "no template fits", details);
        assert_eq!(ClientError::from_status("http://x", &status).kind(), Some(Reason::NoTemplate));
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.as_str()), Some(*reason), "names are unique");
        }
    }

    #[test]
    fn a_status_without_details_is_enough() {
        let error = ClientError::from_status("http://x", &Status::not_found(""));
        assert_eq!(error.to_string(), "Some requested entity was not found");
        assert_eq!((error.code(), error.hint()), (Code::NotFound, None));
    }
}
