//! Streams of events that resume after any sequence.

use std::{collections::VecDeque, sync::Arc};

use sprout_domain::{ApplianceId, Error, PoolId, Reason, Result, UserId, event::Event};
use tokio::sync::broadcast;

use super::{BATCH, watcher::Watcher};
use crate::{
    appliance, pool,
    ports::{EventFilter, Ports},
};

/// Events in order, without gaps, from where it started.
pub struct EventStream {
    pub(super) ports: Ports,
    pub(super) filter: EventFilter,
    pub(super) scope: Scope,
    pub(super) tail: broadcast::Receiver<Arc<Event>>,
    /// Everything up to here was given out or did not match.
    pub(super) sequence: i64,
    /// The database may hold events after `sequence` that the tail no longer holds.
    pub(super) behind: bool,
    pub(super) ready: VecDeque<Event>,
    /// Why it ends after what was given out last.
    pub(super) over: Option<Error>,
}

/// Which of the events that its filter names a stream may give out.
pub(super) enum Scope {
    /// All, for whoever looks themselves what they may see.
    Unlimited,
    /// All, as long as they are staff.
    Staff(Arc<Watcher>),
    /// What they may see.
    Seen(Arc<Watcher>),
    /// What happens to a pool or an appliance of this user until it is another one's; what happened before this sequence they may know.
    Owned { user: UserId, since: i64 },
}

impl EventStream {
    /// The sequence to resume after.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Gives events of this pool as a whole from now on, beside those of the appliance.
    pub(crate) fn follow_pool(&mut self, pool: Option<PoolId>) {
        self.filter.whole_pool = pool;
    }

    /// The next event.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(error) = self.over.clone() {
                return Err(error);
            }
            if let Some(event) = self.ready.pop_front() {
                match self.admit(&event) {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            match self.tail.recv().await {
                Ok(event) if event.sequence > self.sequence => {
                    self.sequence = event.sequence;
                    if self.matches(&event)
                        && let Some(event) = self.admit(&event)
                    {
                        return Ok(event);
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::new(Reason::DatabaseUnavailable, "the server is stopping; reconnect"));
                }
            }
        }
    }

    /// At least one event, and all that are there already; for watchers that only need the latest state.
    pub async fn next_many(&mut self) -> Result<Vec<Event>> {
        let mut batch = vec![self.next().await?];
        while let Some(event) = self.ready.pop_front() {
            batch.extend(self.admit(&event));
        }
        while !self.behind && self.over.is_none() {
            match self.tail.try_recv() {
                Ok(event) if event.sequence > self.sequence => {
                    self.sequence = event.sequence;
                    if self.matches(&event) {
                        batch.extend(self.admit(&event));
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.behind = true,
                Err(_) => break, // that it is closed, the next call finds out
            }
        }
        Ok(batch)
    }

    fn matches(&self, event: &Event) -> bool {
        let fact = &event.fact;
        let of_whole_pool =
            || fact.appliance_id.is_none() && fact.pool_id.is_some() && fact.pool_id == self.filter.whole_pool;
        (self.filter.kinds.is_empty() || self.filter.kinds.contains(&fact.kind))
            && self.filter.pool_id.is_none_or(|id| fact.pool_id == Some(id))
            && self.filter.appliance_id.is_none_or(|id| fact.appliance_id == Some(id) || of_whole_pool())
    }

    /// The event as it is given out, if it may be, by what is known of the caller now; what was read or held a while ago, too. May end the stream.
    fn admit(&mut self, event: &Event) -> Option<Event> {
        if self.over.is_some() {
            return None;
        }
        let fact = &event.fact;
        match &self.scope {
            Scope::Unlimited => Some(event.clone()),
            Scope::Staff(watcher) if watcher.is_staff() => Some(event.clone()),
            Scope::Staff(_) => {
                self.over = Some(Error::new(Reason::NotAllowed, "your role was changed; call again"));
                None
            }
            Scope::Seen(watcher) => watcher.may_be_told(event).then(|| as_told(event, watcher.id())),
            Scope::Owned { .. } if fact.kind.is_for_staff() => None,
            Scope::Owned { user, since } => {
                let is_other = event.sequence > *since && fact.owner_id.is_some_and(|owner| owner != *user);
                if is_other {
                    self.over = Some(self.gone());
                }
                (!is_other || fact.is_of(*user)).then(|| event.clone())
            }
        }
    }

    /// What the stream is about is the caller's no more.
    fn gone(&self) -> Error {
        match (self.filter.pool_id, self.filter.appliance_id) {
            (None, Some(ApplianceId(id))) => appliance::not_found(&format!("appliance {id}")),
            (pool, _) => pool::not_found(pool.unwrap_or(PoolId(0))),
        }
    }

    async fn catch_up(&mut self) -> Result<()> {
        let mut tx = self.ports.store.read().await?;
        // The end is read first: what comes after it is in the tail, which we have been subscribed to all along.
        let end = tx.last_sequence().await?;
        if let Scope::Seen(watcher) = &self.scope {
            watcher.learn(end, tx.sights(&[watcher.id()]).await?.get(&watcher.id()));
            self.filter.told = Some(watcher.told());
        }
        let events = tx.events_after(self.sequence, &self.filter, BATCH).await?;
        match events.last() {
            Some(last) if u64::try_from(events.len()).is_ok_and(|n| n == BATCH) => self.sequence = last.sequence,
            Some(last) => {
                self.sequence = end.max(last.sequence);
                self.behind = false;
            }
            None => {
                self.sequence = end.max(self.sequence);
                self.behind = false;
            }
        }
        self.ready.extend(events);
        Ok(())
    }
}

/// The event as this user is told, who may be told of it.
pub(crate) fn as_told(event: &Event, user: UserId) -> Event {
    let fact = event.fact.clone();
    let fact = if fact.is_of(user) { fact } else { fact.without_author() };
    Event { fact, ..*event }
}
