//! What a method answers instead of a result.

use sprout_client::{ClientError, Code};

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller may not; clients are told `autherror`.
    Auth(String),
    /// Something else is wrong; clients are told `exception`.
    Exception {
        /// Name of a Python class that tells what kind of mistake it is.
        class: &'static str,
        /// One sentence.
        message: String,
    },
    /// The server cannot be asked now: the same call may well succeed in a moment.
    Unavailable(String),
    /// The token that was used works no more: the caller is to sign in again.
    SignedOut,
}

impl Failure {
    /// An exception of this class.
    pub(super) fn exception(class: &'static str, message: impl Into<String>) -> Self {
        Self::Exception { class, message: message.into() }
    }

    /// There is no such thing.
    pub(super) fn does_not_exist(what: &str) -> Self {
        Self::exception("DoesNotExist", format!("{what} matching query does not exist."))
    }

    /// What is told to the client.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Auth(message) | Self::Exception { message, .. } | Self::Unavailable(message) => message,
            Self::SignedOut => "",
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error.code() {
            Code::Unavailable | Code::DeadlineExceeded => Self::Unavailable(message),
            Code::Unauthenticated if error.reason() == Some("NOT_SIGNED_IN") => Self::SignedOut,
            Code::PermissionDenied if error.reason() == Some("NOT_ALLOWED") => {
                Self::Auth("You don't have enough rights!".to_owned())
            }
            Code::Unauthenticated | Code::PermissionDenied => Self::Auth(message),
            Code::NotFound => Self::exception("DoesNotExist", message),
            Code::InvalidArgument | Code::OutOfRange => Self::exception("ValueError", message),
            Code::Unimplemented => Self::exception("NotImplementedError", message),
            _ => Self::exception("Exception", message),
        }
    }
}
