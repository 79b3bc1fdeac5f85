//! The time limits of those who wait: how long a request may, and how long without a sign of its client.

use std::time::Duration;

use sprout_domain::{
    PoolId, Result, Timestamp,
    event::EventKind,
    lease,
    pool::{Pool, PoolEvent, PoolState},
    user::User,
    workflow::Subject,
};

use crate::{
    App,
    kill::kill_appliances,
    pool::owned,
    ports::{PoolChange, Topic},
    queue::stop_waiting,
    work::{Work, repeated},
};

/// Pools that fail in one transaction; more follow at once in the next.
const BATCH: u64 = 50;

/// What is said of a pool that was not fulfilled in time.
const LATE: &str =
    "it was not fulfilled within its time limit; ask for fewer, for another version, or with a longer limit";
/// What is said of a pool whose client fell silent.
const DROPPED: &str = "it was dropped: its client asked for a keep-alive, and stopped sending it while it waited";

impl App {
    /// Whoever waits for the pool still does. Returns until when this is to be said again; none: the pool does not depend on it.
    pub async fn keep_pool_alive(&self, caller: &User, id: PoolId) -> Result<Option<Timestamp>> {
        repeated(|| self.try_keep_alive(caller, id)).await
    }

    async fn try_keep_alive(&self, caller: &User, id: PoolId) -> Result<Option<Timestamp>> {
        let mut work = self.work().await?;
        owned(work.tx.as_mut(), caller, id).await?;
        // Not until it is dropped, or after that: one of the two comes first.
        let pool = work.tx.lock_pool(id).await?;
        let Some(time) = pool.filter(is_unfulfilled).and_then(|pool| pool.keep_alive) else { return Ok(None) };
        let until = lease::end(work.tx.now(), time);
        work.tx.keep_until(id, until).await?;
        work.commit().await?;
        Ok(Some(until))
    }

    /// Ends pools that were not fulfilled in time, or whose clients fell silent. Returns how long until the time of the next one is over, if
    /// there is one; zero if there is more to do now.
    pub async fn end_overdue_pools(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let (now, next) = (tx.now(), tx.next_overdue().await?);
        drop(tx);
        match next.map(|at| (at - now).to_std()) {
            None => return Ok(None),
            Some(Ok(left)) if !left.is_zero() => return Ok(Some(left)),
            Some(_) => {}
        }
        repeated(|| self.end_overdue()).await?;
        Ok(Some(Duration::ZERO))
    }

    async fn end_overdue(&self) -> Result<()> {
        let mut work = self.work().await?;
        let ids = work.tx.overdue_pools(BATCH).await?;
        let appliances: Vec<_> = work.tx.appliances_of_pools(&ids, false).await?.iter().map(|a| a.id).collect();
        // Tasks, then pools, then appliances.
        work.tx.live_workflows(&appliances.into_iter().map(Subject::Appliance).collect::<Vec<_>>()).await?;
        let now = work.tx.now();
        let mut pools = work.tx.lock_pools(&ids).await?;
        // A client may have been heard since the look.
        pools.retain(|pool| is_unfulfilled(pool) && overdue(pool, now).is_some());
        stop_waiting(&mut work, &mut pools).await?;
        for why in [LATE, DROPPED] {
            let late = pools.iter_mut().filter(|pool| overdue(pool, now) == Some(why));
            fail(&mut work, late, why).await?;
        }
        let failed: Vec<_> = pools.iter().map(|pool| pool.id).collect();
        let rest: Vec<_> = work.tx.appliances_of_pools(&failed, false).await?.iter().map(|a| a.id).collect();
        kill_appliances(&mut work, &rest, "its pool failed").await?;
        work.commit().await
    }
}

fn is_unfulfilled(pool: &Pool) -> bool {
    matches!(pool.state, PoolState::Waiting | PoolState::Provisioning)
}

/// Why its time is over, if it is.
fn overdue(pool: &Pool, now: Timestamp) -> Option<&'static str> {
    let over = |until: Option<Timestamp>| until.is_some_and(|until| until <= now);
    if over(pool.alive_until) {
        return Some(DROPPED);
    }
    over(pool.wait_until).then_some(LATE)
}

/// Lets these pools (locked) fail, for one reason.
async fn fail<'a>(work: &mut Work, pools: impl Iterator<Item = &'a mut Pool>, why: &str) -> Result<()> {
    let mut failed = Vec::new();
    for pool in pools {
        let Some(state) = pool.state.after(PoolEvent::GaveUp) else { continue };
        pool.state = state;
        work.emit_pool(EventKind::PoolState, pool, format!("pool {} is failed: {why}", pool.id));
        failed.push(pool.id);
    }
    let change = PoolChange { state: Some(PoolState::Failed), status: Some(why.to_owned()), ..PoolChange::default() };
    work.tx.change_pools(&failed, &change).await?;
    work.wake(Topic::Queue);
    Ok(())
}
