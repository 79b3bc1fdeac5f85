//! What all streams to clients have in common: they run in the span of their request and end when the server drains, or
//! when the caller may not call any longer.
//!
//! A stream produces only when its client has taken what came before, and is dropped when the client leaves.

use std::{pin::Pin, task::Poll};

use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use tonic::{Response, Status};
use tracing::Span;

use crate::{drain::Draining, status::CallRefused, stay::Stay};

/// What the services return.
pub(crate) type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Wraps a stream for sending. After an error it ends.
pub(crate) fn streaming<T: Send + 'static>(
    items: impl Stream<Item = Result<T, Status>> + Send + 'static,
    draining: Draining,
) -> Response<BoxStream<T>> {
    let (mut items, mut draining) = (items.boxed(), draining.begun().boxed());
    let mut refused = Stay::of_this_call().boxed();
    let (span, mut ended) = (Span::current(), false);
    let sent = stream::poll_fn(move |context| {
        if ended {
            return Poll::Ready(None);
        }
        let item = match draining.poll_unpin(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(CallRefused::Draining.into()))),
            Poll::Pending => match refused.poll_unpin(context) {
                Poll::Ready(refusal) => Poll::Ready(Some(Err(refusal))),
                Poll::Pending => span.in_scope(|| items.poll_next_unpin(context)),
            },
        };
        ended = matches!(item, Poll::Ready(None | Some(Err(_))));
        item
    });
    Response::new(sent.boxed())
}
