//! grpc-web to gRPC: `POST /sprout.<area>.v1.<Service>/<Method>` goes to the server with the token of the session, unary or with a stream as the
//! answer, binary or as text. The bytes of messages are passed on as they are; `tonic-web` wraps and unwraps them.

mod ending;
mod message;
mod public;
mod refused;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, error::Error, future::poll_fn, net::SocketAddr};

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, TE},
    },
    response::{IntoResponse as _, Response},
};
use tokio_util::sync::CancellationToken;
use tonic::{ConnectError, Status, TimeoutExpired, body::Body};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use self::{ending::Ending, refused::Refused};
use crate::{
    session::{Known, Sessions},
    trust::same_origin,
};

/// Where it begins.
pub(crate) const PREFIX: &str = "/sprout.";
/// The status of a call that was cancelled, as headers tell it.
const CANCELLED: &str = "1";
/// How long the call may take.
const DEADLINE: HeaderName = HeaderName::from_static("grpc-timeout");

/// Passes calls of browsers on.
#[derive(Clone)]
pub(crate) struct Proxy {
    sessions: Sessions,
    stopping: CancellationToken,
}

impl Proxy {
    /// Calls to the server of these sessions. Once it is `stopping`, answers that go on are ended, for clients to go on elsewhere.
    pub(crate) fn new(sessions: Sessions, stopping: CancellationToken) -> Self {
        Self { sessions, stopping }
    }

    /// Answers one call.
    pub(crate) async fn call(&self, peer: SocketAddr, request: Request) -> Response {
        if request.method() != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], "calls are made with POST\n").into_response();
        }
        if !is_grpc_web(request.headers()) {
            let message = "this speaks grpc-web: application/grpc-web+proto or application/grpc-web-text\n";
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
        }
        let (headers, uri) = (request.headers(), request.uri());
        let encrypted = self.sessions.trust.is_encrypted(peer, headers);
        let known = self.sessions.find(peer, headers);
        let may = may(uri, headers, encrypted, known.as_ref());
        let translated = tonic_web::GrpcWebLayer::new().layer(service_fn(|request| {
            let may = may.clone();
            async move {
                let answer = match may {
                    Ok(known) => self.forward(known, request).await,
                    Err(refused) => Err(refused),
                };
                Ok::<_, Infallible>(answer.unwrap_or_else(|refused| Status::from(refused).into_http()))
            }
        }));
        let mut response = match translated.oneshot(request.map(Body::new)).await {
            Ok(response) => response.map(axum::body::Body::new),
            Err(never) => match never {},
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(known) = &known {
            self.sessions.prolong(known, encrypted, response.headers_mut());
        }
        response
    }

    /// Calls the server. Dropped, the call is cancelled there.
    async fn forward(&self, known: &Known, request: Request<Body>) -> Result<http::Response<Body>, Refused> {
        let (parts, body) = request.into_parts();
        let message = message::read(body).await?;
        let mut call = http::Request::new(Body::new(axum::body::Body::from(message)));
        *call.method_mut() = Method::POST;
        *call.uri_mut() = Uri::try_from(parts.uri.path()).map_err(|_| Refused::UnknownRpc)?;
        // What else browsers send is nothing that the server should know or believe.
        let headers = call.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.extend(parts.headers.get(DEADLINE).map(|value| (DEADLINE, value.clone())));
        known.client().tell(headers);
        let mut token =
            HeaderValue::try_from(format!("Bearer {}", known.token().expose())).map_err(|_| Refused::NotSignedIn)?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        let mut channel = self.sessions.server.channel();
        let answer = match poll_fn(|context| channel.poll_ready(context)).await {
            Ok(()) => channel.call(call).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| not_answered(&error))?;
        let status = answer.headers().get(Status::GRPC_STATUS);
        // The transport at the server watches the deadline, too, and calls what is late cancelled.
        if status.is_some_and(|code| code == CANCELLED) && parts.headers.contains_key(DEADLINE) {
            return Err(Refused::Deadline);
        }
        let is_over = status.is_some();
        let stopping = self.stopping.clone().cancelled_owned();
        Ok(answer.map(|body| Body::new(Ending::new(body, is_over, stopping))))
    }
}

/// The session to call with, if this browser may call this from this page.
fn may<'a>(uri: &Uri, headers: &HeaderMap, encrypted: bool, known: Option<&'a Known>) -> Result<&'a Known, Refused> {
    same_origin(uri, headers, encrypted).map_err(Refused::CrossOrigin)?;
    if !public::is_public(uri.path()) {
        return Err(Refused::UnknownRpc);
    }
    known.ok_or(Refused::NotSignedIn)
}

fn is_grpc_web(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    matches!(
        kind,
        "application/grpc-web"
            | "application/grpc-web+proto"
            | "application/grpc-web-text"
            | "application/grpc-web-text+proto"
    )
}

/// Why the server's answer did not begin.
fn not_answered(error: &(dyn Error + 'static)) -> Refused {
    let (mut cause, mut told, mut refused) = (Some(error), Vec::new(), Refused::Lost);
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            refused = Refused::Deadline;
        } else if error.is::<ConnectError>() {
            refused = Refused::Away;
        }
        told.push(error.to_string());
        cause = error.source();
    }
    tracing::warn!(causes = told.join(": "), "the server did not answer");
    refused
}
