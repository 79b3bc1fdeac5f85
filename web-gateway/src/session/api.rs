//! `/session`: signing in (`POST`), who is signed in (`GET`), signing out (`DELETE`, with `?everywhere=true` on all devices).

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::{self, Body},
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE},
    },
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use sprout_client::{
    ClientError,
    proto::user::{LoginRequest, LogoutEverywhereRequest, LogoutRequest, User, WhoAmIRequest},
    retry,
};
use sprout_conf::Secret;
use tokio::time::timeout;

use super::{Known, Sessions, cookie, refusal::Refusal};
use crate::{page::json_response, trust::same_origin};

/// A name and a password are not longer.
const BODY_LIMIT: usize = 16 * 1024;
/// And take no longer to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Its routes.
pub(crate) fn routes(sessions: Sessions) -> Router {
    let session = get(who).post(sign_in).delete(sign_out);
    Router::new().route("/session", session).layer(map_response(for_nobody_else)).with_state(sessions)
}

/// Answers are about who asks, now.
async fn for_nobody_else(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What is sent to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: Secret,
}

async fn sign_in(
    State(sessions): State<Sessions>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let encrypted = check_origin(&sessions, peer, &parts.uri, headers)?;
    if !sessions.trust.may_carry_secrets(peer, headers) {
        let message = "a password must not travel in the clear: open this page over https (or have the administrator set allow_plain_passwords)";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "PLAIN_PASSWORD", message));
    }
    let Credentials { username, password } = credentials(headers, body).await?;
    let lifetime = prost_types::Duration::try_from(sessions.lifetime).ok();
    let request = LoginRequest { name: username, password: password.expose().to_owned(), lifetime };
    let client = sessions.trust.client(peer, headers);
    let server = &sessions.server;
    let signed_in = retry(async || {
        server.users().login(client.request(request.clone())).await.map_err(|status| server.explain(status))
    });
    let answer = signed_in.await?.into_inner();
    let expires_at = answer.expires_at.ok_or(ClientError::Incomplete { what: "end of the token" })?.seconds;
    let cookie = sessions.begin(Secret::from(answer.token), u64::try_from(expires_at).unwrap_or_default(), encrypted);
    let cookie = cookie.ok_or_else(|| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the session cannot be kept; see the gateway's log")
    })?;
    if let Some(known) = sessions.find(peer, headers) {
        tokio::spawn(async move { replaced(&sessions, &known).await });
    }
    let mut response = json_response(StatusCode::OK, &shown(answer.user, Some(expires_at), None));
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

async fn who(
    State(sessions): State<Sessions>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let known = sessions.find(peer, &headers).ok_or_else(Refusal::not_signed_in)?;
    let server = sessions.connection(&known)?;
    let answer = retry(async || {
        let request = known.client().request(WhoAmIRequest {});
        server.users().who_am_i(request).await.map_err(|status| server.explain(status))
    });
    let answer = answer.await?.into_inner();
    let expires_at = answer.expires_at.map(|at| at.seconds);
    let mut response = json_response(StatusCode::OK, &shown(answer.user, expires_at, Some(answer.server_version)));
    sessions.prolong(&known, sessions.trust.is_encrypted(peer, &headers), response.headers_mut());
    Ok(response)
}

async fn sign_out(
    State(sessions): State<Sessions>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let encrypted = check_origin(&sessions, peer, &uri, &headers)?;
    let everywhere = match uri.query().unwrap_or_default() {
        "" => false,
        "everywhere=true" => true,
        other => {
            let message = format!("`{other}` is not known here; there is only everywhere=true");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message));
        }
    };
    match (sessions.find(peer, &headers), everywhere) {
        (Some(known), true) => end_all(&sessions, &known).await?,
        (Some(known), false) => end(&sessions, &known).await?,
        (None, true) => return Err(Refusal::not_signed_in()),
        (None, false) => {}
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(cookie::set("", Duration::ZERO, encrypted).map(|value| (SET_COOKIE, value)));
    Ok(response)
}

/// Makes the session's token invalid; one that is so already is as good.
async fn end(sessions: &Sessions, known: &Known) -> Result<(), ClientError> {
    let server = sessions.connection(known)?;
    let ended = retry(async || {
        let request = known.client().request(LogoutRequest {});
        server.users().logout(request).await.map_err(|status| server.explain(status))
    });
    match ended.await {
        Err(error) if error.reason() == Some("NOT_SIGNED_IN") => Ok(()),
        ended => ended.map(|_| ()),
    }
}

/// Makes all tokens of sessions invalid, this one's among them.
async fn end_all(sessions: &Sessions, known: &Known) -> Result<(), ClientError> {
    let server = sessions.connection(known)?;
    let tries = AtomicU32::new(0);
    let ended = retry(async || {
        tries.fetch_add(1, Ordering::Relaxed);
        let request = known.client().request(LogoutEverywhereRequest {});
        server.users().logout_everywhere(request).await.map_err(|status| server.explain(status))
    });
    match ended.await {
        // The answer was lost, and the token ended with the others.
        Err(error) if error.reason() == Some("NOT_SIGNED_IN") && tries.load(Ordering::Relaxed) > 1 => Ok(()),
        ended => ended.map(|_| ()),
    }
}

/// Ends a session in whose place another one came. If that fails the token expires by itself.
async fn replaced(sessions: &Sessions, known: &Known) {
    if let Err(error) = end(sessions, known).await {
        tracing::info!(%error, "the token of a session that was replaced was not revoked");
    }
}

/// Whether the browser speaks TLS, if the request comes from a page of ours.
fn check_origin(sessions: &Sessions, peer: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<bool, Refusal> {
    let encrypted = sessions.trust.is_encrypted(peer, headers);
    match same_origin(uri, headers, encrypted) {
        Ok(()) => Ok(encrypted),
        Err(message) => Err(Refusal::new(StatusCode::FORBIDDEN, "CROSS_ORIGIN", message)),
    }
}

async fn credentials(headers: &HeaderMap, body: Body) -> Result<Credentials, Refusal> {
    let wrong = |status, reason, message| Err(Refusal::new(status, reason, message));
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        return wrong(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID_ARGUMENT",
            "send this as application/json".to_owned(),
        );
    }
    let bytes = match timeout(BODY_DEADLINE, body::to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("the body is larger than {BODY_LIMIT} bytes, or broke off");
            return wrong(StatusCode::PAYLOAD_TOO_LARGE, "MESSAGE_TOO_LARGE", message);
        }
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_DEADLINE.as_secs());
            return wrong(StatusCode::REQUEST_TIMEOUT, "DEADLINE_EXCEEDED", message);
        }
    };
    serde_json::from_slice(&bytes).or_else(|error| {
        // What exactly was wrong could repeat the password.
        let (line, column) = (error.line(), error.column());
        let message = format!(
            "the body must be an object with a `username` and a `password`, both texts (line {line}, column {column})"
        );
        wrong(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
    })
}

/// A session as browsers are told.
fn shown(user: Option<User>, expires_at: Option<i64>, server_version: Option<String>) -> Value {
    let user = user.unwrap_or_default();
    let expires_at = expires_at.and_then(|at| DateTime::<Utc>::from_timestamp(at, 0));
    json!({
        "user": {"id": user.id.to_string(), "name": user.name, "role": user.role().as_str_name()},
        "expires_at": expires_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        "server_version": server_version,
        "gateway_version": env!("CARGO_PKG_VERSION"),
    })
}
