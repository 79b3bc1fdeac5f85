//! Several servers of one installation as one channel: calls go to one of them, until it fails; then to the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{BoxFuture, Service},
    transport::{Channel, Error},
};

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
        let (current, count) = (self.current.clone(), self.servers.len());
        let Some((index, mut channel)) = self.ready.take() else {
            return Box::pin(std::future::pending()); // nobody calls what was not asked to be ready
        };
        Box::pin(async move {
            let answer = channel.call(request).await;
            let failed = match &answer {
                Ok(response) => {
                    Status::from_header_map(response.headers()).is_some_and(|s| s.code() == Code::Unavailable)
                }
                Err(_) => true,
            };
            if failed {
                leave(&current, index, count);
            }
            answer
        })
    }
}
