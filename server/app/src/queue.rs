//! The queue: whoever waits gets what is warm, or a place on a provider that has room, in the order of the line.
//!
//! Nothing is bound to a provider before there is room on it: which one serves a seat is decided when a slot gets free. One transaction at a time
//! places, across all servers, so that nobody counts the same room twice; requests place for themselves only if they have the turn and nobody waits.

mod plan;
mod recall;
mod room;
mod round;
mod swap;

use std::{collections::BTreeMap, time::Duration};

use sprout_domain::{
    PoolId, ProviderKey, Result, Timestamp,
    event::EventKind,
    lease,
    pool::{Pool, PoolEvent, PoolState},
};

use self::plan::Plan;
pub(crate) use self::round::{Round, drivers};
use crate::{
    App,
    appliance::{For, deploy},
    grant::{deal, grant, tell_granted},
    kill::settle_pools,
    ports::{PoolChange, Topic},
    prove,
    work::{Work, repeated},
};

/// The turn of whoever places appliances.
pub(crate) const TURN: &str = "placement";
/// Seats served in one transaction; more follow at once in the next.
const TOGETHER: u32 = 256;

/// What became of a look at the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// All that can be done now.
    All,
    /// There may be more to do at once.
    More,
    /// Another server has the turn; what it saw may be older than what woke us.
    Elsewhere,
}

impl App {
    /// Calls back what is bound where nothing happens for now; serves those who wait with what is warm and with what room there is; swaps what is unfinished for what is warm; and makes room where warm
    /// appliances that nobody waits for take it. Costs a few short queries while there is nothing to do.
    pub async fn place_waiting(&self) -> Result<Placed> {
        let recalled = repeated(|| self.recall()).await?;
        if recalled == Placed::Elsewhere {
            return Ok(recalled);
        }
        let mut tx = self.ports.store.read().await?;
        let waits = tx.somebody_waits().await?;
        drop(tx);
        if waits {
            let placed = repeated(|| self.place()).await?;
            if placed != Placed::All {
                return Ok(placed);
            }
        }
        let swapped = repeated(|| self.swap()).await?;
        Ok(if recalled == Placed::More { recalled } else { swapped })
    }

    async fn place(&self) -> Result<Placed> {
        let mut work = self.work().await?;
        if !work.tx.try_turn(TURN).await? {
            return Ok(Placed::Elsewhere);
        }
        let now = work.tx.now();
        let round = Round::read(work.tx.as_mut(), &self.catalogue()).await?;
        let plan = round.plan(now, TOGETHER);
        let more = plan.is_full;
        let crowded = plan.crowded.clone();
        carry_out(&mut work, &round, plan).await?;
        work.commit().await?;
        if !crowded.is_empty() {
            self.make_room(&round, &crowded).await?;
        }
        Ok(if more { Placed::More } else { Placed::All })
    }
}

/// Grants and deploys what was planned, as far as the pools still wait for it.
async fn carry_out(work: &mut Work, round: &Round, plan: Plan) -> Result<()> {
    let ids: Vec<_> = plan.shares.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut pools: Vec<Pool> = work.tx.lock_pools(&ids).await?;
    pools.retain(|pool| matches!(pool.state, PoolState::Waiting | PoolState::Provisioning) && pool.waiting_count > 0);
    let wishes: Vec<_> = pools
        .iter()
        .map(|pool| {
            let count = plan.shares[&pool.id].warm.min(pool.waiting_count);
            round.wish(pool, count)
        })
        .collect();
    let dealt = deal(work, &wishes, false).await?;
    let grants: Vec<_> = pools
        .iter()
        .zip(&dealt)
        .flat_map(|(pool, warm)| warm.iter().map(|warm| prove::bound(*warm, pool.id, None)))
        .collect();
    let granted = grant(work, &grants).await?;
    tell_granted(work, &granted);
    let mut wanted = Vec::new();
    let mut changes = Vec::new();
    for (pool, warm) in pools.iter_mut().zip(&dealt) {
        let warm = u32::try_from(warm.len()).unwrap_or(u32::MAX);
        let left = pool.waiting_count.saturating_sub(warm);
        let new = plan.shares[&pool.id].new.iter().take(left as usize);
        wanted.extend(new.clone().map(|template| (template.clone(), for_pool(pool))));
        let served = warm + u32::try_from(new.len()).unwrap_or(u32::MAX);
        changes.push((pool.id, -i64::from(served)));
        pool.waiting_count = pool.waiting_count.saturating_sub(served);
    }
    changes.retain(|(_, change)| *change != 0);
    work.tx.add_waiting(&changes).await?;
    deploy(work, wanted).await?;
    begin(work, &mut pools, &granted.iter().filter_map(|appliance| appliance.pool_id).collect::<Vec<_>>()).await?;
    settle_pools(work, &mut by_id(pools)).await
}

/// Pools that got a part of what they want wait no more: the rest is being provided.
async fn begin(work: &mut Work, pools: &mut [Pool], got: &[PoolId]) -> Result<()> {
    let mut begun = Vec::new();
    for pool in pools.iter_mut().filter(|pool| got.contains(&pool.id)) {
        if let Some(state) = pool.state.after(PoolEvent::Dispatched) {
            pool.state = state;
            work.emit_pool(EventKind::PoolState, pool, format!("pool {} is {state}: a part of it is ready", pool.id));
            begun.push(pool.id);
        }
    }
    let change = PoolChange { state: Some(PoolState::Provisioning), ..PoolChange::default() };
    work.tx.change_pools(&begun, &change).await
}

/// Whom what is deployed for a pool is for.
pub(crate) fn for_pool(pool: &Pool) -> For {
    For {
        pool: Some(pool.id),
        owner: Some(pool.owner_id),
        memory_mib: pool.memory_mib,
        cpus: pool.cpus,
        update: pool.update,
        ..For::default()
    }
}

pub(crate) fn by_id(pools: Vec<Pool>) -> BTreeMap<PoolId, Pool> {
    pools.into_iter().map(|pool| (pool.id, pool)).collect()
}

/// A deployment of the pool (locked) failed there: it waits for another one, elsewhere if possible.
pub(crate) async fn wait_again(work: &mut Work, pool: &Pool, failed_on: &ProviderKey, why: &str) -> Result<()> {
    work.tx.add_waiting(&[(pool.id, 1)]).await?;
    work.tx.avoid(pool.id, failed_on).await?;
    let status = Some(format!("a deployment on {failed_on} failed and is made up for: {why}"));
    work.tx.change_pools(&[pool.id], &PoolChange { status, ..PoolChange::default() }).await?;
    work.wake(Topic::Queue);
    Ok(())
}

/// These pools (locked), which end, wait for nothing any more.
pub(crate) async fn stop_waiting(work: &mut Work, pools: &mut [Pool]) -> Result<()> {
    let waiting: Vec<_> = pools.iter().filter(|pool| pool.waiting_count > 0).map(|pool| pool.id).collect();
    for pool in pools.iter_mut() {
        pool.waiting_count = 0;
    }
    work.tx.change_pools(&waiting, &PoolChange { stop_waiting: true, ..PoolChange::default() }).await?;
    work.wake(Topic::Queue);
    Ok(())
}

/// When a pool requested now is dropped unless its client says that it still waits.
pub(crate) fn alive_until(now: Timestamp, keep_alive: Option<Duration>) -> Option<Timestamp> {
    keep_alive.map(|time| lease::end(now, time))
}
