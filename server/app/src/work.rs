//! One unit of work: a transaction, the events it causes, and the wake-ups that follow its commit.

use std::{collections::BTreeSet, sync::Arc};

use sprout_domain::{
    Result,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    pool::Pool,
};

use crate::ports::{Bus, Topic, Tx};

/// A writing transaction with what goes with it. Dropped without [`Work::commit`], it never happened.
pub(crate) struct Work {
    /// The transaction.
    pub(crate) tx: Box<dyn Tx>,
    events: Vec<NewEvent>,
    topics: BTreeSet<Topic>,
    bus: Arc<dyn Bus>,
}

impl Work {
    pub(crate) fn new(tx: Box<dyn Tx>, bus: Arc<dyn Bus>) -> Self {
        Self { tx, events: Vec::new(), topics: BTreeSet::new(), bus }
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

    /// Writes the events, commits, and wakes.
    pub(crate) async fn commit(mut self) -> Result<()> {
        if !self.events.is_empty() {
            self.tx.append_events(std::mem::take(&mut self.events)).await?;
            self.topics.insert(Topic::Events);
        }
        let committed = self.tx.commit().await;
        // Also after a failed commit: it may have gone through, and a wake-up too many does no harm.
        let topics: Vec<_> = self.topics.into_iter().collect();
        self.bus.publish(&topics);
        committed
    }
}
