//! Swapping: a pool that waits for a deployment gets a warm appliance that turned up, and the deployment goes on for nobody.

use std::collections::BTreeMap;

use sprout_domain::{
    ApplianceId, PoolId, Result,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    pool::{Pool, PoolState},
    workflow::Subject,
};

use super::{Placed, Round, TURN, begin, by_id};
use crate::{
    App,
    grant::{deal, grant, tell_granted},
    kill::settle_pools,
    ports::WaitingPool,
    prove,
    work::Work,
};

/// Appliances swapped in one transaction; more follow at once in the next.
const TOGETHER: u64 = 64;

impl App {
    pub(super) async fn swap(&self) -> Result<Placed> {
        let mut tx = self.ports.store.read().await?;
        let unfinished = tx.swappable(TOGETHER).await?;
        drop(tx);
        if unfinished.is_empty() {
            return Ok(Placed::All);
        }
        let mut work = self.work().await?;
        if !work.tx.try_turn(TURN).await? {
            return Ok(Placed::Elsewhere);
        }
        let ids: Vec<_> = unfinished.iter().map(|unfinished| unfinished.id).collect();
        let pools: Vec<_> = unfinished.iter().map(|unfinished| unfinished.pool).collect();
        let (mut pools, appliances) = lock(&mut work, &ids, pools).await?;
        let swapped = self.swap_of(&mut work, &mut pools, appliances).await?;
        work.commit().await?;
        Ok(if swapped && unfinished.len() as u64 == TOGETHER { Placed::More } else { Placed::All })
    }

    async fn swap_of(&self, work: &mut Work, pools: &mut [Pool], appliances: Vec<Appliance>) -> Result<bool> {
        let mut unfinished: BTreeMap<PoolId, Vec<Appliance>> = BTreeMap::new();
        for appliance in appliances {
            if let Some(pool) = appliance.pool_id.filter(|id| pools.iter().any(|pool| pool.id == *id)) {
                unfinished.entry(pool).or_default().push(appliance);
            }
        }
        let about: Vec<_> = pools.iter().map(|pool| WaitingPool { pool: pool.clone(), weight: 1 }).collect();
        let round = Round::about(work.tx.as_mut(), &self.catalogue(), about).await?;
        let count = |pool: &Pool| unfinished.get(&pool.id).map_or(0, Vec::len);
        let wishes: Vec<_> =
            pools.iter().map(|pool| round.wish(pool, u32::try_from(count(pool)).unwrap_or(u32::MAX))).collect();
        let dealt = deal(work, &wishes, false).await?;
        let mut grants = Vec::new();
        let mut released = Vec::new();
        for (pool, warm) in pools.iter().zip(dealt) {
            let mut replaced = unfinished.remove(&pool.id).unwrap_or_default();
            // What was not even begun has the longest way to go.
            replaced.sort_by_key(|appliance| (appliance.state, appliance.id));
            released.extend(replaced.into_iter().take(warm.len()));
            grants.extend(warm.into_iter().map(|warm| prove::bound(warm, pool.id, None)));
        }
        if grants.is_empty() {
            return Ok(false);
        }
        work.tx.release(&released.iter().map(|appliance| appliance.id).collect::<Vec<_>>()).await?;
        for appliance in &released {
            let message = format!("{} goes on for nobody: its pool has a warm one instead", appliance.name);
            work.emit_appliance(EventKind::ApplianceState, appliance, message);
        }
        let granted = grant(work, &grants).await?;
        tell_granted(work, &granted);
        let got: Vec<_> = grants.iter().map(|grant| grant.pool).collect();
        begin(work, pools, &got).await?;
        settle_pools(work, &mut by_id(pools.to_vec())).await?;
        Ok(true)
    }
}

/// Locks tasks, then pools, then appliances; returns what can still be swapped.
async fn lock(work: &mut Work, ids: &[ApplianceId], mut pools: Vec<PoolId>) -> Result<(Vec<Pool>, Vec<Appliance>)> {
    let subjects: Vec<_> = ids.iter().copied().map(Subject::Appliance).collect();
    work.tx.live_workflows(&subjects).await?;
    pools.sort_unstable();
    pools.dedup();
    let mut pools = work.tx.lock_pools(&pools).await?;
    pools.retain(|pool| matches!(pool.state, PoolState::Waiting | PoolState::Provisioning) && pool.waiting_count == 0);
    let mut appliances = work.tx.lock_appliances(ids).await?;
    appliances.retain(|a| matches!(a.state, ApplianceState::Requested | ApplianceState::Cloning));
    Ok((pools, appliances))
}
