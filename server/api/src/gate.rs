//! What every call passes, in one place: a span, a deadline, authentication, and a line on how it went.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use http::{Extensions, Request, Response};
use sprout_app::App;
use tonic::{
    Code, Status,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::Service;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    access::{Row, row},
    auth, deadline,
    status::{CallRefused, status},
};

/// A service behind the gate.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    app: Arc<App>,
    inner: S,
}

impl<S> Gate<S> {
    pub(crate) fn new(app: Arc<App>, inner: S) -> Self {
        Self { app, inner }
    }
}

impl<S, B, R> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was made ready is used; its clone waits for the next call.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let limit = deadline::of(request.headers());
        let peer = peer(request.extensions()).map(tracing::field::display);
        let span = tracing::info_span!("rpc", method = request.uri().path(), peer, caller = Empty);
        let app = self.app.clone();
        Box::pin(bounded(limit, async move { pass(&app, inner, request).await }).instrument(span))
    }
}

/// Lets the call in, if it may.
async fn pass<S, B, R>(app: &App, mut inner: S, mut request: Request<B>) -> Result<Response<R>, Status>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    let Row { access, .. } = row(request.uri().path()).ok_or(CallRefused::UnknownRpc)?;
    if let Some(caller) = auth::admit(app, access, request.headers(), request.extensions()).await.map_err(status)? {
        Span::current().record("caller", caller.name());
        request.extensions_mut().insert(caller);
    }
    match inner.call(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Ends the call when its time is up, and says how it went.
async fn bounded<R: Default>(
    limit: Duration,
    call: impl Future<Output = Result<Response<R>, Status>>,
) -> Result<Response<R>, Infallible> {
    let started = Instant::now();
    let response = match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => explained(response),
        Ok(Err(status)) => status.into_http(),
        Err(_) => Status::from(CallRefused::Deadline(limit)).into_http(),
    };
    // Only a refusal has its status here; a stream that began may still end with one.
    let outcome = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    tracing::debug!(?outcome, elapsed = ?started.elapsed(), "answered");
    Ok(response)
}

/// Gives the one refusal of tonic's own that users meet the form of ours. (Ours all carry details.)
fn explained<R: Default>(response: Response<R>) -> Response<R> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::OutOfRange && status.details().is_empty() => {
            Status::from(CallRefused::TooLarge).into_http()
        }
        _ => response,
    }
}

fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    let tls = || extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref);
    extensions.get::<TcpConnectInfo>().or_else(tls)?.remote_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_does_not_end_is_ended() {
        let never = std::future::pending::<Result<Response<()>, Status>>();
        let Ok(response) = bounded(Duration::from_millis(1), never).await;
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("1ms"), "{}", status.message());
    }
}
