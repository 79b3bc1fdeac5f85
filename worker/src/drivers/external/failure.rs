//! What a failed call means: the provider's reason if it gives one, else what its status code says.

use std::{error::Error, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::driver::{DriverError, Reason};

/// Whose reasons are ours.
const DOMAIN: &str = "sprout.provider.v1";
/// Of a message, at most so many characters are kept.
const MESSAGE_LIMIT: usize = 1000;

/// From a status, of the provider or of the transport. `place` failed to do `what` within `limit`.
pub(super) fn failure(place: &str, what: &str, limit: Duration, status: &Status) -> DriverError {
    let told = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    if let Some(reason) = told.and_then(|info| Reason::from_str_name(&format!("STEP_ERROR_REASON_{}", info.reason))) {
        return DriverError::new(reason, sentence(place, what, status));
    }
    // Only what was made here has a source: the connection failed.
    if let Some(cause) = innermost(status) {
        let message =
            format!("{place} could not be asked to {what}: {cause}; see that it runs and can be reached from here");
        return DriverError::new(Reason::Unreachable, message);
    }
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => no_answer(place, what, limit),
        code => DriverError::new(reason(code), sentence(place, what, status)),
    }
}

/// The outcome is unknown.
pub(super) fn no_answer(place: &str, what: &str, limit: Duration) -> DriverError {
    let message = format!("{place} did not {what} within {} s; see whether it is overloaded or hangs", limit.as_secs());
    DriverError::new(Reason::Unreachable, message)
}

fn reason(code: Code) -> Reason {
    match code {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => Reason::Unreachable,
        Code::Unauthenticated | Code::PermissionDenied => Reason::AccessDenied,
        Code::NotFound => Reason::ApplianceNotFound,
        Code::AlreadyExists => Reason::NameTaken,
        Code::ResourceExhausted => Reason::NoCapacity,
        Code::Unimplemented => Reason::Unsupported,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => Reason::Invalid,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Reason::ProviderError,
    }
}

/// What the provider says, on one line and not endless.
fn sentence(place: &str, what: &str, status: &Status) -> String {
    let said: String =
        status.message().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_LIMIT).collect();
    let said = if said.trim().is_empty() { format!("{:?}, and not why", status.code()) } else { said };
    format!("{place} could not {what}: {said}")
}

fn innermost(status: &Status) -> Option<String> {
    let mut cause = status.source()?;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Some(cause.to_string())
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn read(status: &Status) -> DriverError {
        failure("the provider at x", "start y", Duration::from_secs(10), status)
    }

    #[test]
    fn the_providers_reason_comes_first() {
        let details = |domain| ErrorDetails::with_error_info("NO_CAPACITY", domain, std::collections::HashMap::new());
        let status = |domain| Status::with_error_details(Code::Internal, "disk\nfull", details(domain));
        let error = read(&status(DOMAIN));
        assert_eq!(error.reason, Reason::NoCapacity);
        assert_eq!(error.message, "the provider at x could not start y: disk full");
        assert_eq!(read(&status("example.com")).reason, Reason::ProviderError, "another's reason");
    }

    #[test]
    fn codes_speak_for_those_that_give_no_reason() {
        for (code, reason) in [
            (Code::NotFound, Reason::ApplianceNotFound),
            (Code::ResourceExhausted, Reason::NoCapacity),
            (Code::Unauthenticated, Reason::AccessDenied),
            (Code::DeadlineExceeded, Reason::Unreachable),
            (Code::Unavailable, Reason::Unreachable),
            (Code::Unknown, Reason::ProviderError),
        ] {
            assert_eq!(read(&Status::new(code, "x")).reason, reason, "{code:?}");
        }
    }

    #[test]
    fn a_broken_connection_is_no_answer_of_the_provider() {
        let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by peer");
        let error = read(&Status::from_error(Box::new(broken)));
        assert_eq!(error.reason, Reason::Unreachable);
        assert!(error.message.contains("reset by peer"), "{error}");
    }
}
