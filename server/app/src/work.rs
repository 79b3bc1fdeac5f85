//! One unit of work: a transaction, the events it causes, and the wake-ups that follow its commit.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sprout_domain::{
    Catalogue, Error, Reason, Result,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    pool::Pool,
};
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::{
    audit::{self, Call},
    ports::{Bus, Topic, Tx},
};

/// Tries before a use case that collides with others again and again is given up for now.
const TRIES: u32 = 6;
/// The longest pause after the first collision; grows with each further one.
const PAUSE: Duration = Duration::from_millis(10);

/// Does a use case that writes, again while its transaction collides with another one. After that the database is called too busy.
pub(crate) async fn repeated<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    tried(attempt).await.map_err(|error| match error.reason {
        Reason::Conflict => Error { reason: Reason::DatabaseUnavailable, ..error },
        _ => error,
    })
}

/// As [`repeated`]; for those who know what else to do.
pub(crate) async fn tried<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(error) if error.reason == Reason::Conflict && tries < TRIES => {
                tracing::debug!(%error, tries, "transactions collided; trying again");
                tokio::time::sleep((PAUSE * tries).mul_f64(fastrand::f64())).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

/// A writing transaction with what goes with it. Dropped without [`Work::commit`], it never happened.
pub(crate) struct Work {
    /// The transaction.
    pub(crate) tx: Box<dyn Tx>,
    /// What is configured, the same throughout.
    pub(crate) catalogue: Arc<Catalogue>,
    events: Vec<NewEvent>,
    topics: BTreeSet<Topic>,
    bus: Arc<dyn Bus>,
    /// Calls this is done for; the commit carries their audit records.
    calls: Vec<Arc<Call>>,
}

impl Work {
    pub(crate) fn new(tx: Box<dyn Tx>, bus: Arc<dyn Bus>, catalogue: Arc<Catalogue>) -> Self {
        let calls = audit::current().into_iter().collect();
        Self { tx, catalogue, events: Vec::new(), topics: BTreeSet::new(), bus, calls }
    }

    /// Adds an event, to be written at the end of the transaction.
    pub(crate) fn emit(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Adds an event about an appliance's new state.
    pub(crate) fn emit_appliance(&mut self, kind: EventKind, appliance: &Appliance, message: impl Into<String>) {
        self.emit(NewEvent {
            pool_id: appliance.pool_id,
            appliance_id: Some(appliance.id),
            provider: Some(appliance.provider.clone()),
            state: Some(appliance.state.as_str().to_owned()),
            ..NewEvent::new(kind, message)
        });
    }

    /// Adds an event about a pool's new state.
    pub(crate) fn emit_pool(&mut self, kind: EventKind, pool: &Pool, message: impl Into<String>) {
        self.emit(NewEvent {
            pool_id: Some(pool.id),
            state: Some(pool.state.as_str().to_owned()),
            ..NewEvent::new(kind, message)
        });
    }

    /// Wakes a topic after the commit.
    pub(crate) fn wake(&mut self, topic: Topic) {
        self.topics.insert(topic);
    }

    /// Says for which call, other than the current one, this is done.
    pub(crate) fn done_for(&mut self, call: &Arc<Call>) {
        self.calls.push(call.clone());
    }

    /// Writes audit records and events, commits, and wakes.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.calls.retain(|call| !call.is_recorded());
        if !self.calls.is_empty() {
            self.tx.append_records(self.calls.iter().map(|call| call.done()).collect()).await?;
        }
        // The last statement: from here on others who write events wait.
        if !self.events.is_empty() {
            self.tx.append_events(std::mem::take(&mut self.events)).await?;
            self.topics.insert(Topic::Events);
        }
        let Self { tx, topics, bus, calls, .. } = self;
        let ending = async move {
            let committed = tx.commit().await;
            if committed.is_ok() {
                for call in calls {
                    call.recorded();
                }
            }
            // Also after a failed commit: it may have gone through, and a wake-up too many does no harm.
            bus.publish(&topics.into_iter().collect::<Vec<_>>());
            committed
        };
        // A caller who leaves in the middle cannot take a commit back, and what was committed must wake others.
        ToTheEnd(Some(Box::pin(ending.in_current_span()))).await
    }
}

/// Work that is done to its end also if whoever waits for it leaves: what is left of it then goes on in a task of its own.
struct ToTheEnd<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Once it is done nobody asks again.
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        // Without a run time the process ends, and takes its connections along.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn collisions_pass_and_if_they_do_not_the_caller_is_to_come_back() {
        let count = AtomicU32::new(0);
        let collide = |until: u32| {
            let count = &count;
            move || async move {
                let tries = count.fetch_add(1, Ordering::SeqCst);
                if tries < until { Err(Error::new(Reason::Conflict, "busy")) } else { Ok(tries) }
            }
        };
        assert_eq!(repeated(collide(3)).await, Ok(3));
        count.store(0, Ordering::SeqCst);
        assert_eq!(repeated(collide(u32::MAX)).await.unwrap_err().reason, Reason::DatabaseUnavailable);
        assert_eq!(count.load(Ordering::SeqCst), TRIES);
    }
}
