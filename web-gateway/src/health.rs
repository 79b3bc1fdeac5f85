//! Whether calls can be answered now, for load balancers and for people.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use sprout_client::Connection;

/// `GET /health`: 200 while the server behind serves, else 503; a word on it in the body.
pub(crate) fn routes(server: Connection) -> Router {
    Router::new().route("/health", get(health)).with_state(server)
}

async fn health(State(server): State<Connection>) -> (StatusCode, String) {
    match server.serving().await {
        Ok(true) => (StatusCode::OK, "serving\n".to_owned()),
        Ok(false) => (StatusCode::SERVICE_UNAVAILABLE, "the server answers, and does not serve now\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
