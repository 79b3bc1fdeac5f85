//! Pools: finding, watching, killing.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use sprout_domain::{
    Error, PoolId, Reason, Result, Timestamp,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    lease,
    pool::{self, Pool, PoolEvent},
    user::{Role, User},
};

use crate::{
    App,
    kill::{kill_appliances, settle_pools},
    lease::lease_of,
    ports::{EventFilter, Page, PoolChange, PoolFilter, Topic, Tx},
    queue::stop_waiting,
    work::{Work, repeated},
};

/// A pool with its appliances (not those already gone).
#[derive(Debug, Clone, PartialEq)]
pub struct PoolView {
    /// The pool.
    pub pool: Pool,
    /// Its appliances, oldest first.
    pub appliances: Vec<Appliance>,
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

impl App {
    /// One pool the caller may see.
    pub async fn pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        let mut tx = self.ports.store.read().await?;
        let pool = owned(tx.as_mut(), caller, id).await?;
        view(tx.as_mut(), pool).await
    }

    /// A page of pools with their appliances, newest first: the caller's own; for staff, everyone's.
    pub async fn pools(&self, caller: &User, filter: PoolFilter, page: Page) -> Result<Vec<PoolView>> {
        let owner_id = if caller.role >= Role::Staff { filter.owner_id } else { Some(caller.id) };
        let mut tx = self.ports.store.read().await?;
        let pools = tx.pools(&PoolFilter { owner_id, ..filter }, page).await?;
        let ids: Vec<_> = pools.iter().map(|pool| pool.id).collect();
        let mut views: Vec<_> = pools.into_iter().map(|pool| PoolView { pool, appliances: Vec::new() }).collect();
        for appliance in tx.appliances_of_pools(&ids, false).await? {
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
        let events = self.events(caller, filter, None).await?;
        let first = self.pool(caller, id).await?;
        let (app, caller) = (self.clone(), caller.clone());
        let ended = first.pool.state.is_final();
        let later = stream::unfold((events, ended), move |(mut events, ended)| {
            let (app, caller) = (app.clone(), caller.clone());
            async move {
                if ended {
                    return None;
                }
                let message = match events.next_many().await {
                    Ok(batch) => batch.last().map(|event| event.fact.message.clone()).unwrap_or_default(),
                    Err(error) => return Some((Err(error), (events, true))),
                };
                let now = app.pool(&caller, id).await;
                let ended = now.as_ref().map_or(true, |view| view.pool.state.is_final());
                Some((now.map(|view| (view, message)), (events, ended)))
            }
        });
        Ok(stream::once(async move { Ok((first, String::new())) }).chain(later).boxed())
    }

    /// Ends a pool and kills its appliances; nothing happens if that has been done.
    pub async fn kill_pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        repeated(|| self.try_kill_pool(caller, id)).await
    }

    async fn try_kill_pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        let mut work = self.work().await?;
        let pool = owned(work.tx.as_mut(), caller, id).await?;
        if !pool.state.is_final() {
            end_pool(&mut work, &pool, &format!("killed by {}", caller.name)).await?;
        }
        let pool = owned(work.tx.as_mut(), caller, id).await?;
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }
}

/// Kills all of a pool, which thereby ends.
async fn end_pool(work: &mut Work, pool: &Pool, why: &str) -> Result<()> {
    let ids: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    kill_appliances(work, &ids, why).await?;
    // A replacement may have been added between the look and the lock; nothing can be added any more.
    let mut locked = work.tx.lock_pools(&[pool.id]).await?;
    stop_waiting(work, &mut locked).await?;
    let late: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    if late.iter().any(|id| !ids.contains(id)) {
        kill_appliances(work, &late, why).await?;
    }
    let mut pools = locked.into_iter().map(|pool| (pool.id, pool)).collect();
    settle_pools(work, &mut pools).await
}

/// The pool, if the caller may see it; what may not be seen does not exist.
pub(crate) async fn owned(tx: &mut dyn Tx, caller: &User, id: PoolId) -> Result<Pool> {
    match tx.pool(id).await? {
        Some(pool) if pool.owner_id == caller.id || caller.role >= Role::Staff => Ok(pool),
        _ => Err(Error::new(Reason::PoolNotFound, format!("you have no pool {id}"))),
    }
}

/// The pool with its appliances.
pub(crate) async fn view(tx: &mut dyn Tx, pool: Pool) -> Result<PoolView> {
    let appliances = tx.appliances_of_pools(&[pool.id], false).await?;
    Ok(PoolView { pool, appliances })
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
