//! Pools: finding and watching, and what becomes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream};
use sprout_domain::{
    Error, PoolId, Reason, Result, Timestamp,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    lease,
    pool::{self, Pool, PoolEvent},
    queue::Place,
    user::{Role, User},
};
use tokio::{sync::watch, time::sleep};

use crate::{
    App,
    lease::lease_of,
    ports::{EventFilter, Page, PoolChange, PoolFilter, Topic, Tx},
    work::Work,
};

/// A pool with its appliances (not those already gone).
#[derive(Debug, Clone, PartialEq)]
pub struct PoolView {
    /// The pool.
    pub pool: Pool,
    /// Its appliances, oldest first.
    pub appliances: Vec<Appliance>,
    /// Its place in the line, where it waits and was looked at by itself.
    pub place: Option<Place>,
}

impl PoolView {
    /// Appliances of it that are ready.
    pub fn ready_count(&self) -> u32 {
        let ready = self.appliances.iter().filter(|a| a.state == ApplianceState::Ready).count();
        u32::try_from(ready).unwrap_or(u32::MAX)
    }

    /// Mean progress of its wanted appliances.
    pub fn progress_percent(&self) -> u32 {
        pool::progress_percent(self.pool.count, self.appliances.iter().map(|a| a.state))
    }

    /// When the first of its leases ends.
    pub fn leased_until(&self) -> Option<Timestamp> {
        self.appliances.iter().filter(|a| a.state.counts()).filter_map(|a| a.leased_until).min()
    }
}

/// A pool each time it changed, with the sentence of the last change.
pub type PoolStream = std::pin::Pin<Box<dyn Stream<Item = Result<(PoolView, String)>> + Send>>;

/// The places of those who wait may have changed: nothing of that is an event of the pool.
struct Moves {
    queue: watch::Receiver<u64>,
    /// The place that was told last; none: it does not wait.
    place: Option<Place>,
}

/// Moves that come within this time count as one.
const MOVES: Duration = Duration::from_secs(1);

impl Moves {
    async fn next(&mut self) {
        if self.place.is_none() || self.queue.changed().await.is_err() {
            pending::<()>().await;
        }
        sleep(MOVES).await;
    }
}

impl App {
    /// One pool the caller may see.
    pub async fn pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        let mut tx = self.ports.store.read().await?;
        let pool = owned(tx.as_mut(), caller, id).await?;
        let mut view = view(tx.as_mut(), pool).await?;
        self.tell_unserved(tx.as_mut(), &mut view.appliances).await?;
        self.with_place(tx.as_mut(), view).await
    }

    /// A page of pools with their appliances, newest first: the caller's own; for staff, everyone's.
    pub async fn pools(&self, caller: &User, filter: PoolFilter, page: Page) -> Result<Vec<PoolView>> {
        let owner_id = if caller.role >= Role::Staff { filter.owner_id } else { Some(caller.id) };
        let mut tx = self.ports.store.read().await?;
        let pools = tx.pools(&PoolFilter { owner_id, ..filter }, page).await?;
        let ids: Vec<_> = pools.iter().map(|pool| pool.id).collect();
        let mut views: Vec<_> =
            pools.into_iter().map(|pool| PoolView { pool, appliances: Vec::new(), place: None }).collect();
        let mut appliances = tx.appliances_of_pools(&ids, false).await?;
        self.tell_unserved(tx.as_mut(), &mut appliances).await?;
        for appliance in appliances {
            if let Some(view) = views.iter_mut().find(|view| Some(view.pool.id) == appliance.pool_id) {
                view.appliances.push(appliance);
            }
        }
        Ok(views)
    }

    /// The pool now and each time it changed, until it ended or failed.
    pub async fn watch_pool(self: &Arc<Self>, caller: &User, id: PoolId) -> Result<PoolStream> {
        let filter = EventFilter { pool_id: Some(id), ..EventFilter::default() };
        // Listening starts before the first look, so that no change falls between the two.
        let events = self.listen(filter);
        let first = self.look(caller, id).await?;
        let (app, caller) = (self.clone(), caller.clone());
        let moves = Moves { queue: self.ports.bus.subscribe(Topic::Queue), place: first.place };
        let ended = first.pool.state.is_final();
        let later = stream::unfold((events, moves, ended), move |(mut events, mut moves, ended)| {
            let (app, caller) = (app.clone(), caller.clone());
            async move {
                if ended {
                    return None;
                }
                loop {
                    let message = tokio::select! {
                        biased;
                        batch = events.next_many() => match batch {
                            Ok(batch) => batch.last().map(|event| event.fact.message.clone()),
                            Err(error) => return Some((Err(error), (events, moves, true))),
                        },
                        () = moves.next() => None,
                    };
                    let now = app.look(&caller, id).await;
                    // That others moved concerns it only if it moved, too.
                    if message.is_none() && now.as_ref().is_ok_and(|view| view.place == moves.place) {
                        continue;
                    }
                    moves.place = now.as_ref().ok().and_then(|view| view.place);
                    let ended = now.as_ref().map_or(true, |view| view.pool.state.is_final());
                    return Some((now.map(|view| (view, message.unwrap_or_default())), (events, moves, ended)));
                }
            }
        });
        Ok(stream::once(async move { Ok((first, String::new())) }).chain(later).boxed())
    }
}

impl App {
    /// As [`App::pool`], for those who look often: looks that come while one is under way share the next.
    async fn look(self: &Arc<Self>, caller: &User, id: PoolId) -> Result<PoolView> {
        let app = self.clone();
        let answer = move |ids: Vec<PoolId>| {
            let app = app.clone();
            async move {
                match app.views(&ids).await {
                    Ok(views) => ids.iter().map(|id| Ok(views.get(id).cloned())).collect(),
                    Err(error) => vec![Err(error); ids.len()],
                }
            }
        };
        match self.looks.ask(id, answer).await? {
            Some(view) if may_see(caller, &view.pool) => Ok(view),
            _ => Err(not_found(id)),
        }
    }

    async fn views(&self, ids: &[PoolId]) -> Result<BTreeMap<PoolId, PoolView>> {
        let ids: Vec<_> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let mut tx = self.ports.store.read().await?;
        let mut views = BTreeMap::new();
        for pool in tx.pools_by_id(&ids).await? {
            views.insert(pool.id, PoolView { pool, appliances: Vec::new(), place: None });
        }
        for appliance in tx.appliances_of_pools(&ids, false).await? {
            if let Some(view) = appliance.pool_id.and_then(|id| views.get_mut(&id)) {
                view.appliances.push(appliance);
            }
        }
        let mut placed = BTreeMap::new();
        for (id, view) in views {
            // Read once for all.
            placed.insert(id, self.with_place(tx.as_mut(), view).await?);
        }
        Ok(placed)
    }
}

/// Pools that watchers look at in one transaction at most.
pub(crate) const LOOKED_AT: usize = 128;

/// Whether a pool exists for this caller.
pub(crate) fn may_see(caller: &User, pool: &Pool) -> bool {
    pool.owner_id == caller.id || caller.role >= Role::Staff
}

/// The caller has no such pool.
pub(crate) fn not_found(id: PoolId) -> Error {
    Error::new(Reason::PoolNotFound, format!("you have no pool {id}"))
}

/// The pool, if the caller may see it; what may not be seen does not exist.
pub(crate) async fn owned(tx: &mut dyn Tx, caller: &User, id: PoolId) -> Result<Pool> {
    match tx.pool(id).await? {
        Some(pool) if may_see(caller, &pool) => Ok(pool),
        _ => Err(not_found(id)),
    }
}

/// The pool with its appliances.
pub(crate) async fn view(tx: &mut dyn Tx, pool: Pool) -> Result<PoolView> {
    let appliances = tx.appliances_of_pools(&[pool.id], false).await?;
    Ok(PoolView { pool, appliances, place: None })
}

/// The pool (locked) has all it wanted: it is ready, and its lease starts.
pub(crate) async fn fulfil(work: &mut Work, pool: &mut Pool) -> Result<()> {
    let lease = lease_of(&work.catalogue, work.tx.now(), pool);
    let until = lease::end(work.tx.now(), pool.lease);
    if advance_pool(work, pool, PoolEvent::Fulfilled, &format!("ready, leased until {}", until.format("%F %T UTC")))
        .await?
    {
        work.tx.set_pool_lease(pool.id, true, lease).await?;
        pool.fulfilled_at = Some(work.tx.now());
        work.wake(Topic::Leases);
    }
    Ok(())
}

/// Applies an event to a pool (locked), with what it says for people; returns whether it meant anything.
pub(crate) async fn advance_pool(work: &mut Work, pool: &mut Pool, event: PoolEvent, says: &str) -> Result<bool> {
    let Some(state) = pool.state.after(event) else { return Ok(false) };
    pool.state = state;
    if state.is_final() {
        pool.ended_at = Some(work.tx.now());
    }
    work.tx.change_pools(&[pool.id], &PoolChange { state: Some(state), ..PoolChange::default() }).await?;
    let message = format!("pool {} is {says}", pool.id);
    work.emit_pool(EventKind::PoolState, pool, message);
    Ok(true)
}
