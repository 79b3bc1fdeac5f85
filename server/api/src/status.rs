//! Domain errors on the wire: a gRPC code, the sentence, and `google.rpc` details for programs.
//!
//! What is for the operator is logged here, once, in the span of the request, and never sent.

use std::time::Duration;

use sprout_domain::{Error, Reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `domain` of every `ErrorInfo` of ours.
const DOMAIN: &str = "sprout";
/// Details and message travel in headers, which clients bound (16 KiB is common); what a caller sent may be echoed in them.
const MAX_MESSAGE: usize = 1500;
const MAX_VALUE: usize = 200;
/// A database that is away is worth another try after this long.
const RETRY_DATABASE: Duration = Duration::from_secs(1);

/// Turns a domain error into a status.
pub(crate) fn status(error: Error) -> Status {
    let Error { reason, message, internal, metadata } = error;
    if let Some(internal) = internal {
        let message = message.as_str();
        if reason == Reason::Internal {
            tracing::error!(reason = reason.as_str(), message, %internal, "request failed");
        } else {
            tracing::warn!(reason = reason.as_str(), message, %internal, "request refused");
        }
    }
    let mut details = ErrorDetails::new();
    if matches!(reason, Reason::DatabaseUnavailable | Reason::Conflict) {
        details.set_retry_info(Some(RETRY_DATABASE));
    }
    let seconds = metadata.iter().find(|(key, _)| *key == "retry_seconds").and_then(|(_, value)| value.parse().ok());
    if let Some(seconds) = seconds {
        details.set_retry_info(Some(Duration::from_secs(seconds)));
    }
    for (_, field) in metadata.iter().filter(|(key, _)| *key == "field") {
        details.add_bad_request_violation(field, cut(&message, MAX_MESSAGE));
    }
    if reason == Reason::LeaseTooLong {
        details.add_bad_request_violation("lease", cut(&message, MAX_MESSAGE));
    }
    if reason == Reason::QuotaExceeded {
        let which = metadata.iter().find(|(key, _)| *key == "quota").map_or("", |(_, quota)| quota);
        details.add_quota_failure_violation(which, cut(&message, MAX_MESSAGE));
    }
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), cut(&value, MAX_VALUE).to_owned()));
    details.set_error_info(reason.as_str(), DOMAIN, metadata.collect::<std::collections::HashMap<_, _>>());
    Status::with_error_details(code(reason), cut(&message, MAX_MESSAGE), details)
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidArgument | Reason::LeaseTooLong => Code::InvalidArgument,
        Reason::PoolNotFound
        | Reason::TemplateNotFound
        | Reason::ApplianceNotFound
        | Reason::ProviderNotFound
        | Reason::GroupNotFound
        | Reason::JobNotFound
        | Reason::RuleNotFound
        | Reason::MachineNotFound
        | Reason::UserNotFound
        | Reason::UserGroupNotFound
        | Reason::TokenNotFound
        | Reason::WorkerNotFound
        | Reason::WorkflowNotFound
        | Reason::TaskNotFound => Code::NotFound,
        Reason::RequestIdReused
        | Reason::UserExists
        | Reason::UserGroupExists
        | Reason::TokenExists
        | Reason::NameTaken => Code::AlreadyExists,
        Reason::NoTemplate
        | Reason::ProviderNotUsable
        | Reason::WrongState
        | Reason::CatalogueUnreadable
        | Reason::LastSuperuser
        | Reason::PoolsDiffer
        | Reason::WorkflowNotCancellable
        | Reason::Busy
        | Reason::TaskNotRunning
        | Reason::TaskNotRetrying
        | Reason::OutOfOrder
        | Reason::SessionReplaced => Code::FailedPrecondition,
        Reason::NotSignedIn
        | Reason::WrongPassword
        | Reason::UserDisabled
        | Reason::JoinTokenUnknown
        | Reason::JoinTokenExpired
        | Reason::JoinTokenUsed
        | Reason::CertificateRequired => Code::Unauthenticated,
        Reason::NotAllowed | Reason::OverrideNotAllowed | Reason::ScopeTooNarrow => Code::PermissionDenied,
        Reason::Unsupported => Code::Unimplemented,
        Reason::HoldLimit | Reason::QuotaExceeded | Reason::TooManyAttempts => Code::ResourceExhausted,
        Reason::WatchTooOld => Code::OutOfRange,
        Reason::DatabaseUnavailable | Reason::Conflict => Code::Unavailable,
        Reason::Internal => Code::Internal,
    }
}

/// Name of a code as in the gRPC specification.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Refusals that concern the call itself; the use cases know nothing of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallRefused {
    /// The server leaves.
    Draining,
    /// The time allowed ran out.
    Deadline(Duration),
    /// There is no such rpc, or nobody may call it.
    UnknownRpc,
    /// The request is larger than is read.
    TooLarge,
}

impl From<CallRefused> for Status {
    fn from(refused: CallRefused) -> Self {
        let (code, reason, message) = match refused {
            CallRefused::Draining => (
                Code::Unavailable,
                "SERVER_DRAINING",
                "the server is stopping; reconnect, and resume where this stream ended".to_owned(),
            ),
            CallRefused::Deadline(limit) => (
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                format!(
                    "the call was not done within {limit:?} and may or may not have taken effect; look before repeating it"
                ),
            ),
            CallRefused::UnknownRpc => (
                Code::Unimplemented,
                "UNKNOWN_RPC",
                "this server does not offer this call; use a client of the server's version (see `sproutctl whoami`)"
                    .to_owned(),
            ),
            CallRefused::TooLarge => (
                Code::OutOfRange,
                "MESSAGE_TOO_LARGE",
                format!("a request has at most {} MiB; send less in one call", crate::routes::MAX_REQUEST >> 20),
            ),
        };
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, std::collections::HashMap::new());
        if matches!(refused, CallRefused::Draining) {
            details.set_retry_info(Some(Duration::ZERO));
        }
        Status::with_error_details(code, message, details)
    }
}

/// The beginning of a text, at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[test]
    fn fields_and_reasons_survive_and_internals_do_not() {
        let status = status(Error::invalid("count", "too many").because("secret of the operator"));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "too many"));
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_ARGUMENT", "sprout"));
        assert_eq!(info.metadata["field"], "count");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "count");
        assert!(!format!("{status:?}{}", String::from_utf8_lossy(status.details())).contains("secret"));
    }

    #[test]
    fn the_operator_reads_once_what_the_caller_does_not() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("rpc", method = "/a/b").entered();
            status(Error::new(Reason::NoTemplate, "nothing hidden"));
            status(Error::internal("the hidden detail"));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ERROR rpc{method=\"/a/b\"}") && text.contains("the hidden detail"), "{text}");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_unavailable_database_is_worth_a_retry() {
        let status = status(Error::new(Reason::DatabaseUnavailable, "try again"));
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.get_error_details().retry_info().unwrap().retry_delay, Some(RETRY_DATABASE));
    }

    #[test]
    fn what_a_caller_sent_never_makes_headers_too_large() {
        let huge = "ü".repeat(100_000);
        let status = status(Error::invalid("group", huge.clone()).with("group", huge));
        assert!(status.message().len() <= MAX_MESSAGE && status.details().len() < 4096);
    }
}
