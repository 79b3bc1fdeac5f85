//! The rest of an answer, made to end properly: a browser learns nothing from a connection that breaks, so that what breaks behind the gateway
//! becomes a last word that says what happened.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Status, body::Body};

use super::refused::Refused;

/// The body of a server's answer, passed on.
pub(super) struct Ending {
    inner: Body,
    /// Whether there is something to come: trailers end an answer, or its headers do.
    open: bool,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Ending {
    /// Passes `inner` on until `stopping`. An answer that `is_over` with its headers has no last word.
    pub(super) fn new(inner: Body, is_over: bool, stopping: WaitForCancellationFutureOwned) -> Self {
        Self { inner, open: !is_over, stopping: Box::pin(stopping) }
    }

    fn end(&mut self, why: Refused) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.open = false;
        let mut trailers = axum::http::HeaderMap::new();
        match Status::from(why).add_header(&mut trailers) {
            Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if !self.open {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.open = !frame.is_trailers();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "the connection to the server broke in the midst of an answer");
                self.end(Refused::Lost)
            }
            Poll::Ready(None) => self.end(Refused::Lost),
            Poll::Pending if self.stopping.as_mut().poll(context).is_ready() => self.end(Refused::Stopping),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.open
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
