//! Why there is no session, as browsers are told: a status, a reason to match on, and one sentence.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;
use sprout_client::{ClientError, Code};

use crate::page::json_response;

/// What a browser is told instead of an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal of the gateway's own.
    pub(super) fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), message: message.into(), retry_after: None }
    }

    /// There is no session, or it has ended.
    pub(super) fn not_signed_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "NOT_SIGNED_IN", "you are not signed in, or no longer; sign in again")
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let ClientError::Refused(refused) = &error else {
            // Where the server is, is nobody's concern.
            tracing::warn!(%error, "the server was not reached");
            return Self {
                retry_after: Some(Duration::from_secs(1)),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "SERVER_UNREACHABLE",
                    "the server cannot be reached now; try again in a moment",
                )
            };
        };
        let reason = refused.reason.as_deref().unwrap_or("INTERNAL");
        let status = match (refused.code, reason) {
            // To programs a wrong user is as good as none; to people it is another matter.
            (_, "USER_DISABLED") | (Code::PermissionDenied, _) => StatusCode::FORBIDDEN,
            (Code::Unauthenticated, "NOT_SIGNED_IN") => return Self::not_signed_in(),
            (Code::Unauthenticated, _) => StatusCode::UNAUTHORIZED,
            (Code::InvalidArgument | Code::OutOfRange, _) => StatusCode::BAD_REQUEST,
            (Code::ResourceExhausted, _) => StatusCode::TOO_MANY_REQUESTS,
            (Code::Unavailable | Code::DeadlineExceeded, _) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let retry_after =
            refused.retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1)));
        Self { retry_after, ..Self::new(status, reason, error.to_string()) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({"reason": self.reason, "message": self.message});
        // Rounded up: who comes too early is sent away again.
        let seconds = self.retry_after.map(|after| after.as_millis().div_ceil(1000).max(1));
        if let Some(seconds) = seconds {
            error["retry_after_seconds"] = json!(u64::try_from(seconds).unwrap_or(u64::MAX));
        }
        let mut response = json_response(self.status, &json!({"error": error}));
        if let Some(value) = seconds.and_then(|seconds| HeaderValue::try_from(seconds.to_string()).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}
