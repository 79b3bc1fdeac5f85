//! What libvirt's errors mean to us, and how we say it.

use std::fmt::Display;

use virt::error::{Error, ErrorDomain, ErrorNumber};

use crate::driver::{DriverError, Reason, Result};

/// Gives a libvirt result its context.
pub(super) trait Doing<T> {
    /// `what` we were doing, to go after "could not".
    fn doing(self, what: impl Display) -> Result<T>;
}

impl<T> Doing<T> for Result<T, Error> {
    fn doing(self, what: impl Display) -> Result<T> {
        self.map_err(|error| explain(&what, &error))
    }
}

/// Whether the error says just this.
pub(super) fn is(error: &Error, number: ErrorNumber) -> bool {
    error.code().is_known_and(|known| known == number)
}

/// Something asked for that cannot be, with what to do instead.
pub(super) fn invalid(message: impl Into<String>) -> DriverError {
    DriverError::new(Reason::Invalid, message)
}

fn explain(what: &dyn Display, error: &Error) -> DriverError {
    let reason = reason(error);
    let said = error.message();
    let message = match reason {
        Reason::Unreachable if said.contains("No such file or directory") => {
            format!("could not {what}: {said}; start libvirtd (or virtqemud) there, or correct the provider's uri")
        }
        Reason::Unreachable => format!("could not {what}: {said}; see that libvirt runs there and is not overloaded"),
        Reason::AccessDenied => {
            format!(
                "could not {what}: {said}; let the worker's user use libvirt (for a local socket: the group libvirt)"
            )
        }
        Reason::NoCapacity => format!("could not {what}: {said}; free memory or disk space on the host"),
        _ => format!("could not {what}: {said}"),
    };
    DriverError::new(reason, message)
}

/// libvirt has few codes for what goes wrong below it; there its text must serve.
fn reason(error: &Error) -> Reason {
    const NO_ROOM: [&str; 4] =
        ["No space left on device", "Cannot allocate memory", "annot set up guest memory", "quota exceeded"];
    let said = error.message();
    let number = error.code().unwrap_or(ErrorNumber::InternalError);
    let in_transport = error.domain().is_known_and(|domain| matches!(domain, ErrorDomain::Rpc | ErrorDomain::Remote));
    if NO_ROOM.iter().any(|text| said.contains(text)) {
        return Reason::NoCapacity;
    }
    if in_transport && said.contains("Permission denied") {
        return Reason::AccessDenied;
    }
    match number {
        ErrorNumber::NoDomain => Reason::ApplianceNotFound,
        ErrorNumber::NoMemory => Reason::NoCapacity,
        ErrorNumber::AuthFailed
        | ErrorNumber::AuthCancelled
        | ErrorNumber::AuthUnavailable
        | ErrorNumber::AccessDenied
        | ErrorNumber::OperationDenied => Reason::AccessDenied,
        // A driver may report "not supported" for what the machine, not the driver, lacks: the text says which.
        ErrorNumber::NoSupport | ErrorNumber::OperationUnsupported | ErrorNumber::ArgumentUnsupported => {
            Reason::Unsupported
        }
        ErrorNumber::InvalidArg
        | ErrorNumber::XmlError
        | ErrorNumber::XmlDetail
        | ErrorNumber::XmlInvalidSchema
        | ErrorNumber::ConfigUnsupported
        | ErrorNumber::UnknownHost
        | ErrorNumber::OperationInvalid => Reason::Invalid,
        ErrorNumber::NoConnect
        | ErrorNumber::InvalidConn
        | ErrorNumber::Rpc
        | ErrorNumber::GnutlsError
        | ErrorNumber::Ssh
        | ErrorNumber::Libssh
        | ErrorNumber::OperationTimeout => Reason::Unreachable,
        _ if in_transport => Reason::Unreachable,
        _ => Reason::ProviderError,
    }
}
