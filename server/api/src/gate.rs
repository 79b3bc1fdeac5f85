//! What every call passes, in one place: a span, a deadline, authentication, a line on how it went, and its audit record.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use sprout_app::{App, Call};
use sprout_domain::audit::DONE;
use tonic::{Code, Status, service::AxumBody};
use tower::Service;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    access::{Row, row},
    auth, deadline,
    meter::Meter,
    peer::{Forwarders, Peer},
    sent::{Sent, kept},
    status::{CallRefused, name, status},
    stay::{Stay, staying},
};

/// A service behind the gate.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    app: Arc<App>,
    forwarders: Arc<Forwarders>,
    meter: Meter,
    inner: S,
}

impl<S> Gate<S> {
    pub(crate) fn new(app: Arc<App>, forwarders: Arc<Forwarders>, meter: Meter, inner: S) -> Self {
        Self { app, forwarders, meter, inner }
    }
}

impl<S, R> Service<Request<AxumBody>> for Gate<S>
where
    S: Service<Request<AxumBody>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<AxumBody>) -> Self::Future {
        // The one that was made ready is used; its clone waits for the next call.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let limit = deadline::of(request.headers());
        let peer = self.forwarders.peer(request.extensions(), request.headers());
        if let Some(peer) = peer {
            request.extensions_mut().insert(Peer(peer));
        }
        let span = tracing::info_span!(
            "rpc",
            method = request.uri().path(),
            peer = peer.map(tracing::field::display),
            caller = Empty
        );
        let app = self.app.clone();
        let row = row(request.uri().path());
        let (meter, path, begun) = (self.meter.clone(), row.map(|_| request.uri().path().to_owned()), Instant::now());
        let (call, request) = told(request, row, peer);
        let answer = async move {
            let passed = pass(&app, inner, request, row, call.clone());
            let (response, outcome) = bounded(limit, passed).await;
            let code = outcome.as_ref().map_or(Code::Ok, Status::code);
            meter.count(path.as_deref(), code, begun.elapsed());
            note(&app, &call, row, outcome);
            Ok(response)
        };
        Box::pin(answer.instrument(span))
    }
}

/// The call as it is recorded, and the request, of which a copy is kept if it is to be recorded.
fn told(request: Request<AxumBody>, row: Option<Row>, peer: Option<IpAddr>) -> (Arc<Call>, Request<AxumBody>) {
    let method = request.uri().path().trim_start_matches('/').to_owned();
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    if !row.is_some_and(|row| row.effect.is_recorded()) {
        return (Call::new(&method, peer, String::new), request);
    }
    let sent = Arc::new(Sent::default());
    let request = request.map(|body| kept(body, sent.clone()));
    (Call::new(&method.clone(), peer, move || sent.json(&method)), request)
}

/// Lets the call in, if it may.
async fn pass<S, R>(
    app: &Arc<App>,
    mut inner: S,
    mut request: Request<AxumBody>,
    row: Option<Row>,
    call: Arc<Call>,
) -> Result<Response<R>, Status>
where
    S: Service<Request<AxumBody>, Response = Response<R>, Error = Infallible>,
{
    let row = row.ok_or(CallRefused::UnknownRpc)?;
    let caller = auth::admit(app, row, request.headers(), request.extensions(), &call).await.map_err(status)?;
    let stay = caller.as_ref().map(|caller| Stay::new(app, caller));
    if let Some(caller) = caller {
        Span::current().record("caller", caller.name());
        request.extensions_mut().insert(caller);
    }
    let answer = staying(stay, inner.call(request));
    match if row.effect.is_recorded() { call.run(answer).await } else { answer.await } {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Leaves a record of a call that no transaction has recorded: one that changes something, or was not allowed.
fn note(app: &Arc<App>, call: &Call, row: Option<Row>, outcome: Option<Status>) {
    let is_recorded = row.is_some_and(|row| row.effect.is_recorded());
    match outcome {
        None if is_recorded && !call.is_recorded() => app.note_call(call, DONE, ""),
        Some(status) if is_recorded || (row.is_some() && status.code() == Code::PermissionDenied) => {
            app.note_call(call, name(status.code()), status.message());
        }
        _ => {}
    }
}

/// Ends the call when its time is up, and says how it went: with a status if it was refused.
async fn bounded<R: Default>(
    limit: Duration,
    call: impl Future<Output = Result<Response<R>, Status>>,
) -> (Response<R>, Option<Status>) {
    let started = Instant::now();
    let response = match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => explained(response),
        Ok(Err(status)) => status.into_http(),
        Err(_) => Status::from(CallRefused::Deadline(limit)).into_http(),
    };
    // Only a refusal has its status here; a stream that began may still end with one.
    let refusal = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
    let outcome = refusal.as_ref().map_or(Code::Ok, Status::code);
    tracing::debug!(?outcome, elapsed = ?started.elapsed(), "answered");
    (response, refusal)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_does_not_end_is_ended() {
        let never = std::future::pending::<Result<Response<()>, Status>>();
        let (response, refusal) = bounded(Duration::from_millis(1), never).await;
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!([status.code(), refusal.unwrap().code()], [Code::DeadlineExceeded; 2]);
        assert!(status.message().contains("1ms"), "{}", status.message());
    }
}
