//! One reader at the tail of the event log for the whole process, which hands each event to those streams that it may concern.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sprout_domain::{
    PoolId, Result, UserId,
    event::{Event, EventKind},
};
use tokio::{sync::broadcast, time::timeout};

use super::{BATCH, watcher::Watcher};
use crate::{
    ports::{EventFilter, Ports, Topic, Tx},
    token::Tokens,
};

/// Events held for streams that are a little behind; those further behind read the database.
const KEPT: usize = 4096;
/// The same, for streams of one pool.
const KEPT_OF_POOL: usize = 64;
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
    routes: Arc<Mutex<Routes>>,
    /// Everything up to here was handed out.
    position: Arc<AtomicI64>,
}

/// Streams that an event need not be handed to, unless it concerns them. A thousand watchers of what is theirs need not each look at what happens to
/// the others.
#[derive(Default)]
struct Routes {
    pools: HashMap<PoolId, broadcast::Sender<Arc<Event>>>,
    users: HashMap<UserId, Arc<Watcher>>,
    /// How many there were after those that nobody watches any more were last put away.
    used: usize,
}

impl Routes {
    fn tidy(&mut self) {
        if self.pools.len() + self.users.len() > 2 * self.used + 64 {
            self.pools.retain(|_, tail| tail.receiver_count() > 0);
            self.users.retain(|_, watcher| watcher.is_there());
            self.used = self.pools.len() + self.users.len();
        }
    }

    fn hand_out(&self, event: &Arc<Event>) {
        if let Some(tail) = event.fact.pool_id.and_then(|pool| self.pools.get(&pool)) {
            let _ = tail.send(event.clone()); // nobody watches it any more
        }
        for owner in [event.fact.owner_id, event.fact.former_owner_id].into_iter().flatten() {
            if let Some(watcher) = self.users.get(&owner) {
                watcher.hand(event);
            }
        }
        if event.fact.audience.is_some() {
            self.users.values().filter(|watcher| watcher.may_be_told(event)).for_each(|watcher| watcher.hand(event));
        }
    }
}

impl Feed {
    pub(crate) fn after(start: i64, ports: Ports, tokens: Arc<Tokens>) -> Self {
        let (tail, routes) = (broadcast::Sender::new(KEPT), Arc::default());
        Self { ports, start, tokens, tail, routes, position: Arc::new(AtomicI64::new(start)) }
    }

    /// All events, or those of the pool that the filter names.
    pub(super) fn subscribe(&self, filter: &EventFilter) -> broadcast::Receiver<Arc<Event>> {
        match filter.pool_id {
            Some(pool) => {
                let mut routes = self.routes();
                routes.tidy();
                routes.pools.entry(pool).or_insert_with(|| broadcast::Sender::new(KEPT_OF_POOL)).subscribe()
            }
            None => self.tail.subscribe(),
        }
    }

    /// Someone who watches what they may see, and the events that may be it.
    pub(super) fn watcher(&self, user: UserId) -> (Arc<Watcher>, broadcast::Receiver<Arc<Event>>) {
        let mut routes = self.routes();
        routes.tidy();
        // What is known of one who left may be old: nobody has kept it.
        let known = routes.users.get(&user).filter(|watcher| watcher.is_there()).cloned();
        let watcher = known.unwrap_or_else(|| Arc::new(Watcher::new(user)));
        routes.users.insert(user, watcher.clone());
        let tail = watcher.subscribe();
        (watcher, tail)
    }

    /// All events, for staff, and what they are.
    pub(super) fn watcher_of_all(&self, user: UserId) -> (Arc<Watcher>, broadcast::Receiver<Arc<Event>>) {
        let (watcher, _) = self.watcher(user);
        (watcher, self.tail.subscribe())
    }

    pub(super) fn position(&self) -> i64 {
        self.position.load(Ordering::SeqCst)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_out(&self, event: Event) {
        let event = Arc::new(event);
        self.routes().hand_out(&event);
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
            let last = last.sequence;
            if events.iter().any(|event| changes_tokens(event.fact.kind)) {
                self.tokens.revoked();
            }
            if events.iter().any(|event| changes_sights(event.fact.kind)) {
                // Before anything is handed out: who lost a right is told of nothing more.
                self.look_at_rights(tx.as_mut()).await?;
            }
            *sequence = last;
            for event in events {
                self.hand_out(event);
            }
            self.position.store(last, Ordering::SeqCst);
        }
    }

    /// Reads anew what those who watch may see, in one query.
    async fn look_at_rights(&self, tx: &mut dyn Tx) -> Result<()> {
        let watchers: Vec<_> = self.routes().users.values().filter(|watcher| watcher.is_there()).cloned().collect();
        if watchers.is_empty() {
            return Ok(());
        }
        let as_of = tx.last_sequence().await?;
        let sights = tx.sights(&watchers.iter().map(|watcher| watcher.id()).collect::<Vec<_>>()).await?;
        for watcher in watchers {
            watcher.learn(as_of, sights.get(&watcher.id()));
        }
        Ok(())
    }
}

fn changes_tokens(kind: EventKind) -> bool {
    matches!(kind, EventKind::TokenRevoked | EventKind::UserChanged)
}

/// Roles and user groups, or which providers are hidden.
fn changes_sights(kind: EventKind) -> bool {
    matches!(kind, EventKind::UserChanged | EventKind::ProviderChanged)
}
