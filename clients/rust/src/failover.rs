//! Several servers of one installation as one channel: calls go to one of them, until it fails; then to the next.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{
    Code, ConnectError, Status,
    body::Body,
    codegen::{BoxFuture, Service},
    transport::{Channel, Error},
};

use crate::error::find;

/// The servers, and which of them is called now. Cheap to clone; all clones follow one another.
#[derive(Clone, Debug)]
pub struct Failover {
    servers: Arc<[(String, Channel)]>,
    current: Arc<AtomicUsize>,
    /// The channel that was asked to be ready: only that one may be called.
    ready: Option<(usize, Channel)>,
}

impl Failover {
    /// At least one server, by its URL.
    pub(crate) fn new(servers: Vec<(String, Channel)>) -> Self {
        Self { servers: servers.into(), current: Arc::default(), ready: None }
    }

    /// The URL of the server that is called now.
    pub(crate) fn server(&self) -> &str {
        self.servers.get(self.index()).map_or("", |(url, _)| url)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.servers.len()
    }

    fn index(&self) -> usize {
        self.current.load(Ordering::Relaxed) % self.servers.len().max(1)
    }
}

/// The next server is called from now on, unless somebody else has already found that out.
fn leave(current: &AtomicUsize, failed: usize, count: usize) {
    let _ = current.compare_exchange(failed, (failed + 1) % count.max(1), Ordering::Relaxed, Ordering::Relaxed);
}

impl Service<Request<Body>> for Failover {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Self::Response, Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let index = self.index();
        if self.ready.as_ref().is_none_or(|(ready, _)| *ready != index) {
            self.ready = self.servers.get(index).map(|(_, channel)| (index, channel.clone()));
        }
        match &mut self.ready {
            Some((_, channel)) => channel.poll_ready(context),
            None => Poll::Pending, // there is always a server
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (current, servers) = (self.current.clone(), self.servers.clone());
        let Some((mut index, mut channel)) = self.ready.take() else {
            return Box::pin(std::future::pending()); // nobody calls what was not asked to be ready
        };
        let (parts, body) = request.into_parts();
        let body = Lent(Arc::new(Mutex::new(body)));
        Box::pin(async move {
            for others in (0..servers.len()).rev() {
                let answer = channel.call(Request::from_parts(parts.clone(), Body::new(body.clone()))).await;
                let (failed, sent) = match &answer {
                    Ok(response) => (is_unavailable(response), true),
                    Err(error) => (true, find::<ConnectError>(error).is_none()),
                };
                if failed {
                    leave(&current, index, servers.len());
                }
                if sent || others == 0 {
                    return answer;
                }
                // Nobody is there, so nothing was sent: any call may go to the next one.
                index = (index + 1) % servers.len();
                let Some((_, next)) = servers.get(index) else { return answer };
                channel = next.clone();
                poll_fn(|context| channel.poll_ready(context)).await?;
            }
            std::future::pending().await // there is always a server
        })
    }
}

fn is_unavailable(response: &Response<Body>) -> bool {
    Status::from_header_map(response.headers()).is_some_and(|status| status.code() == Code::Unavailable)
}

/// The body of a request, which is still whole where no connection came about.
#[derive(Clone)]
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Lent {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}
