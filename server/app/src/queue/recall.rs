//! Calling back: what is bound to a provider that is not used any more, before anything was asked of it, goes back into line, and is placed elsewhere.

use std::collections::BTreeMap;

use sprout_domain::{
    ApplianceId, PoolId, Result,
    appliance::{Appliance, ApplianceState},
    pool::Pool,
    room::NoRoom,
};

use super::{Placed, Round, TURN};
use crate::{
    App,
    kill::{kill_appliances, lock},
    ports::{Unfinished, WaitingPool},
    work::Work,
};

/// Appliances called back in one transaction; more follow at once in the next.
const TOGETHER: u64 = 64;

impl App {
    /// Ends appliances that are merely requested where nothing is asked for now, if another provider is used that could have them: their pools wait
    /// for as many again.
    pub(super) async fn recall(&self) -> Result<Placed> {
        let configured: Vec<_> = self.catalogue().providers.keys().cloned().collect();
        let mut tx = self.ports.store.read().await?;
        let stranded = tx.stranded(&configured, TOGETHER).await?;
        drop(tx);
        if stranded.is_empty() {
            return Ok(Placed::All);
        }
        let mut work = self.work().await?;
        if !work.tx.try_turn(TURN).await? {
            return Ok(Placed::Elsewhere);
        }
        let recalled = self.recall_of(&mut work, &stranded).await?;
        work.commit().await?;
        Ok(if recalled && stranded.len() as u64 == TOGETHER { Placed::More } else { Placed::All })
    }

    async fn recall_of(&self, work: &mut Work, stranded: &[Unfinished]) -> Result<bool> {
        let ids: Vec<ApplianceId> = stranded.iter().map(|stranded| stranded.id).collect();
        // One may have been given to a worker since the look, if its circuit was closed.
        let appliances = lock(work, &ids).await?;
        let requested = appliances.into_iter().filter(|appliance| appliance.state == ApplianceState::Requested);
        let mut pools: Vec<PoolId> = stranded.iter().map(|stranded| stranded.pool).collect();
        pools.sort_unstable();
        pools.dedup();
        let pools = work.tx.lock_pools(&pools).await?;
        let about = pools.iter().map(|pool| WaitingPool { pool: pool.clone(), weight: 1 }).collect();
        let round = Round::about(work.tx.as_mut(), &self.catalogue(), about).await?;
        let (mut back, mut ids) = (BTreeMap::<PoolId, i64>::new(), Vec::new());
        for appliance in requested {
            let Some(pool) = pools.iter().find(|pool| Some(pool.id) == appliance.pool_id) else { continue };
            if could_be_elsewhere(&round, pool, &appliance) {
                *back.entry(pool.id).or_default() += 1;
                ids.push(appliance.id);
            }
        }
        work.tx.add_waiting(&back.into_iter().collect::<Vec<_>>()).await?;
        kill_appliances(work, &ids, "its provider is not used for now; its place in line is kept").await?;
        Ok(!ids.is_empty())
    }
}

/// A provider that is used, if not at once, could have it instead of the one that is not.
fn could_be_elsewhere(round: &Round, pool: &Pool, appliance: &Appliance) -> bool {
    let used = |key| {
        let room = round.rooms.get(key);
        room.is_some_and(|room| room.fits(&room.need(pool.memory_mib, pool.cpus)).err().is_none_or(NoRoom::is_used))
    };
    let unused_here =
        !used(&appliance.provider) || round.candidates(pool).iter().all(|t| t.provider != appliance.provider);
    unused_here && round.candidates(pool).iter().any(|t| t.provider != appliance.provider && used(&t.provider))
}
