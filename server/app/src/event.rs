//! The event log: one reader at its tail for the whole process, and streams that resume after any sequence.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sprout_domain::{
    Error, PoolId, Reason, Result,
    event::{Event, EventKind},
    user::{Role, User},
};
use tokio::{sync::broadcast, time::timeout};

use crate::{
    App,
    appliance::visible,
    pool::owned,
    ports::{ApplianceBy, EventFilter, Ports, Topic},
    token::Tokens,
};

/// Events held for streams that are a little behind; those further behind read the database.
const KEPT: usize = 4096;
/// The same, for streams of one pool.
const KEPT_OF_POOL: usize = 64;
/// Events read at once.
const BATCH: u64 = 1000;
/// The tail is read this often even if no wake-up came.
const SWEEP: Duration = Duration::from_secs(1);

/// Hands the tail of the event log to all streams of this process.
#[derive(Clone)]
pub struct Feed {
    ports: Ports,
    /// Where it begins: streams that begin before its first look must not miss what happens until then.
    start: i64,
    tokens: Arc<Tokens>,
    tail: broadcast::Sender<Arc<Event>>,
    /// Of pools that are watched. A thousand watchers of a pool each need not look at what happens to the pools of the others.
    pools: Arc<Mutex<OfPools>>,
    /// Everything up to here was handed out.
    position: Arc<AtomicI64>,
}

#[derive(Default)]
struct OfPools {
    tails: HashMap<PoolId, broadcast::Sender<Arc<Event>>>,
    /// How many there were after those that nobody watches any more were last put away.
    used: usize,
}

impl OfPools {
    fn subscribe(&mut self, pool: PoolId) -> broadcast::Receiver<Arc<Event>> {
        if self.tails.len() > 2 * self.used + 64 {
            self.tails.retain(|_, tail| tail.receiver_count() > 0);
            self.used = self.tails.len();
        }
        self.tails.entry(pool).or_insert_with(|| broadcast::Sender::new(KEPT_OF_POOL)).subscribe()
    }
}

impl Feed {
    pub(crate) fn after(start: i64, ports: Ports, tokens: Arc<Tokens>) -> Self {
        let (tail, pools) = (broadcast::Sender::new(KEPT), Arc::default());
        Self { ports, start, tokens, tail, pools, position: Arc::new(AtomicI64::new(start)) }
    }

    fn subscribe(&self, filter: &EventFilter) -> broadcast::Receiver<Arc<Event>> {
        match filter.pool_id {
            Some(pool) => self.pools.lock().unwrap_or_else(PoisonError::into_inner).subscribe(pool),
            None => self.tail.subscribe(),
        }
    }

    fn hand_out(&self, event: Event) {
        let event = Arc::new(event);
        if let Some(pool) = event.fact.pool_id
            && let Some(tail) = self.pools.lock().unwrap_or_else(PoisonError::into_inner).tails.get(&pool)
        {
            let _ = tail.send(event.clone()); // nobody watches it any more
        }
        // No receiver is no error: nobody watches.
        let _ = self.tail.send(event);
    }

    /// Reads the tail until dropped. Run once per process.
    pub async fn run(&self) {
        let mut changed = self.ports.bus.subscribe(Topic::Events);
        let mut sequence = self.start;
        let mut failing = false;
        loop {
            let read = self.read_on(&mut sequence).await;
            match &read {
                Err(error) if !failing => tracing::warn!(%error, "reading events failed; tried again until it works"),
                Ok(()) if failing => tracing::info!("reading events works again"),
                _ => {}
            }
            failing = read.is_err();
            // A lost wake-up costs one sweep. (A closed bus would mean no wake-ups: then only the sweep is left.)
            if let Ok(Err(_)) = timeout(SWEEP, changed.changed()).await {
                tokio::time::sleep(SWEEP).await;
            }
        }
    }

    async fn read_on(&self, sequence: &mut i64) -> Result<()> {
        let mut tx = self.ports.store.read().await?;
        loop {
            let events = tx.events_after(*sequence, &EventFilter::default(), BATCH).await?;
            let Some(last) = events.last() else {
                self.tokens.log_read();
                return Ok(());
            };
            *sequence = last.sequence;
            for event in events {
                if matches!(event.fact.kind, EventKind::TokenRevoked | EventKind::UserChanged) {
                    self.tokens.revoked();
                }
                self.hand_out(event);
            }
            self.position.store(*sequence, Ordering::SeqCst);
        }
    }
}

/// Events in order, without gaps, from where it started.
pub struct EventStream {
    ports: Ports,
    filter: EventFilter,
    tail: broadcast::Receiver<Arc<Event>>,
    /// Everything up to here was given out or did not match.
    sequence: i64,
    /// The database may hold events after `sequence` that the tail no longer holds.
    behind: bool,
    ready: VecDeque<Event>,
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
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            match self.tail.recv().await {
                Ok(event) if event.sequence > self.sequence => {
                    self.sequence = event.sequence;
                    if self.matches(&event) {
                        return Ok((*event).clone());
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
        batch.extend(self.ready.drain(..));
        while !self.behind {
            match self.tail.try_recv() {
                Ok(event) if event.sequence > self.sequence => {
                    self.sequence = event.sequence;
                    if self.matches(&event) {
                        batch.push((*event).clone());
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
        self.filter.pool_id.is_none_or(|id| fact.pool_id == Some(id))
            && self.filter.appliance_id.is_none_or(|id| fact.appliance_id == Some(id) || of_whole_pool())
    }

    async fn catch_up(&mut self) -> Result<()> {
        let mut tx = self.ports.store.read().await?;
        // The end is read first: what comes after it is in the tail, which we have been subscribed to all along.
        let end = tx.last_sequence().await?;
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

impl App {
    /// Events from now on, or after a sequence. Users must name a pool or appliance of theirs; staff see all.
    pub async fn events(&self, caller: &User, filter: EventFilter, after: Option<i64>) -> Result<EventStream> {
        let tail = self.feed.subscribe(&filter);
        let mut tx = self.ports.store.read().await?;
        // Of what is not there nothing would ever be told, and whoever mistyped an id would wait for good.
        match (filter.pool_id, filter.appliance_id) {
            (Some(pool), _) => drop(owned(tx.as_mut(), caller, pool).await?),
            (None, Some(appliance)) => drop(visible(tx.as_mut(), caller, &ApplianceBy::Id(appliance)).await?),
            (None, None) if caller.role < Role::Staff => {
                let message = "only staff may watch all events; name a pool or an appliance of yours";
                return Err(Error::new(Reason::NotAllowed, message));
            }
            (None, None) => {}
        }
        let last = tx.last_sequence().await?;
        if let Some(ahead) = after.filter(|after| *after > last) {
            let message = format!(
                "the last event is {last}, there is no {ahead} to resume after; is this another installation, or was its database restored?"
            );
            return Err(Error::invalid("after_sequence", message));
        }
        let (sequence, behind) = after.map_or((last, false), |after| (after, true));
        Ok(EventStream { ports: self.ports.clone(), filter, tail, sequence, behind, ready: VecDeque::new() })
    }

    /// Events from about now on: whatever is not among them, who looks after this call sees. For those who may see what the filter names.
    pub(crate) fn listen(&self, filter: EventFilter) -> EventStream {
        let tail = self.feed.subscribe(&filter);
        let sequence = self.feed.position.load(Ordering::SeqCst);
        EventStream { ports: self.ports.clone(), filter, tail, sequence, behind: false, ready: VecDeque::new() }
    }
}
