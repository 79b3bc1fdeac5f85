//! Errors of sessions on the wire: a gRPC code, the sentence, and `google.rpc` details for programs.

use std::{collections::HashMap, time::Duration};

use sprout_domain::{Error, Reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `domain` of every `ErrorInfo` of ours.
const DOMAIN: &str = "sprout";
/// A database that is away is worth another try after this long.
const RETRY_DATABASE: Duration = Duration::from_secs(1);

/// Turns a domain error into a status; what is for the operator only is logged.
pub(crate) fn status(error: Error) -> Status {
    let Error { reason, message, internal, metadata } = error;
    if let Some(internal) = internal {
        tracing::warn!(reason = reason.as_str(), message, %internal, "a worker is refused");
    }
    let code = match reason {
        Reason::InvalidArgument => Code::InvalidArgument,
        Reason::WorkerNotFound => Code::NotFound,
        Reason::NotAllowed => Code::PermissionDenied,
        Reason::OutOfOrder | Reason::SessionReplaced => Code::FailedPrecondition,
        Reason::DatabaseUnavailable | Reason::Conflict => Code::Unavailable,
        _ => Code::Internal, // nothing else is a session's concern
    };
    let mut details = ErrorDetails::new();
    if code == Code::Unavailable {
        details.set_retry_info(Some(RETRY_DATABASE));
    }
    for (_, field) in metadata.iter().filter(|(key, _)| *key == "field") {
        details.add_bad_request_violation(field, &*message);
    }
    let metadata: HashMap<_, _> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    details.set_error_info(reason.as_str(), DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

/// What broke a stream, as its last word: a message that was too large to be read is refused as such; nothing else can be answered.
pub(crate) fn of_broken_stream(broken: &Status) -> Option<Status> {
    let message = "a message of a worker has at most 16 MiB; is the worker of a compatible version?";
    let too_large = broken.code() == Code::OutOfRange;
    let details = ErrorDetails::with_error_info("MESSAGE_TOO_LARGE", DOMAIN, HashMap::new());
    too_large.then(|| Status::with_error_details(Code::ResourceExhausted, message, details))
}
