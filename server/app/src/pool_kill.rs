//! Ending pools. What of an unfinished one nobody could use yet is rescued: it goes on as a warm appliance, if one is wanted. Calls
//! that arrive together share one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
    sync::Arc,
};

use sprout_domain::{
    ApplianceId, Error, PoolId, Reason, Result, UserGroupId, UserId,
    appliance::{Appliance, ApplianceState},
    pool::{Pool, PoolState},
    user::{Role, User},
    workflow::Subject,
};

use crate::{
    App, Call, PoolView, audit,
    hold::emit_changed,
    kill::{kill_appliances, settle_pools},
    pool::{may_see, not_found},
    ports::{Page, PoolFilter, Topic},
    queue::stop_waiting,
    warm::wanted_warm,
    work::{Work, repeated, tried},
};

/// Pools of one owner that end in one transaction.
const TOGETHER: usize = 20;
/// Calls to kill a pool that share a transaction at most. More would only make the first of them wait longer.
pub(crate) const ASKED_TOGETHER: usize = 32;

/// Who kills which pool, by which call.
pub(crate) type Asked = (User, PoolId, Option<Arc<Call>>);

impl App {
    /// Ends a pool and kills its appliances; nothing happens if that has been done.
    pub async fn kill_pool(self: &Arc<Self>, caller: &User, id: PoolId) -> Result<PoolView> {
        let app = self.clone();
        let answer = move |asked| {
            let app = app.clone();
            async move { app.kill_asked(asked).await }
        };
        self.kills.ask((caller.clone(), id, audit::current()), answer).await
    }

    async fn kill_asked(&self, asked: Vec<Asked>) -> Vec<Result<PoolView>> {
        match tried(|| self.kill_together(&asked)).await {
            Ok(answers) => return answers,
            // Nobody could be served, alone or together.
            Err(error) if error.reason == Reason::DatabaseUnavailable => return vec![Err(error); asked.len()],
            Err(error) => tracing::debug!(%error, count = asked.len(), "pools are killed one by one"),
        }
        let mut answers = Vec::with_capacity(asked.len());
        for one in &asked {
            let alone = repeated(|| self.kill_together(slice::from_ref(one))).await;
            answers.push(alone.and_then(|mut answers| answers.pop().unwrap_or_else(unanswered)));
        }
        answers
    }

    async fn kill_together(&self, asked: &[Asked]) -> Result<Vec<Result<PoolView>>> {
        let mut work = self.work().await?;
        let ids = asked.iter().map(|(_, id, _)| *id).collect::<BTreeSet<_>>();
        let ids: Vec<_> = ids.into_iter().collect();
        let before = by_id(&mut work, &ids).await?;
        let mut ends = Ends::new();
        for (caller, id, _) in asked {
            if let Some(pool) = before.get(id).filter(|pool| may_see(caller, pool) && !pool.state.is_final()) {
                ends.entry(*id).or_insert_with(|| (pool.owner_id, format!("killed by {}", caller.name)));
            }
        }
        end_pools(&mut work, &ends).await?;
        let after = by_id(&mut work, &ids).await?;
        let mut appliances: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for appliance in work.tx.appliances_of_pools(&ids, false).await? {
            appliances.entry(appliance.pool_id).or_default().push(appliance);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for (caller, id, call) in asked {
            let Some(pool) = after.get(id).filter(|pool| may_see(caller, pool)) else {
                answers.push(Err(not_found(*id)));
                continue;
            };
            if let Some(call) = call {
                work.done_for(call);
            }
            let appliances = appliances.get(&Some(*id)).cloned().unwrap_or_default();
            answers.push(Ok(PoolView { pool: pool.clone(), appliances, place: None }));
        }
        work.commit().await?;
        Ok(answers)
    }

    /// Ends all pools of a user: the caller's own, or, for staff, of the one named. Returns them without their appliances. If it fails half-way
    /// it is to be repeated.
    pub async fn kill_pools(&self, caller: &User, owner: Option<&str>) -> Result<Vec<PoolView>> {
        let (owner, ids) = self.live_pools(caller, owner).await?;
        let mut killed = Vec::with_capacity(ids.len());
        for some in ids.chunks(TOGETHER) {
            killed.extend(repeated(|| self.try_kill_pools(caller, owner, some)).await?);
        }
        Ok(killed.into_iter().map(|pool| PoolView { pool, appliances: Vec::new(), place: None }).collect())
    }

    async fn live_pools(&self, caller: &User, owner: Option<&str>) -> Result<(UserId, Vec<PoolId>)> {
        let mut tx = self.ports.store.read().await?;
        let owner_id = match owner.filter(|name| *name != caller.name) {
            None => caller.id,
            Some(_) if caller.role < Role::Staff => {
                return Err(Error::new(
                    Reason::NotAllowed,
                    "only staff may end the pools of others; name nobody to end your own",
                ));
            }
            Some(name) => {
                let found = tx.user_by_name(name).await?;
                found.ok_or_else(|| no_user(name))?.0.id
            }
        };
        let states = PoolState::ALL.into_iter().filter(|state| *state < PoolState::Ending).collect();
        let filter = PoolFilter { owner_id: Some(owner_id), states, ..PoolFilter::default() };
        let pools = tx.pools(&filter, Page { before: None, limit: u64::MAX }).await?;
        Ok((owner_id, pools.iter().map(|pool| pool.id).collect()))
    }

    async fn try_kill_pools(&self, caller: &User, owner: UserId, ids: &[PoolId]) -> Result<Vec<Pool>> {
        let mut work = self.work().await?;
        let why = format!("killed by {}", caller.name);
        end_pools(&mut work, &ids.iter().map(|id| (*id, (owner, why.clone()))).collect()).await?;
        let mut pools = work.tx.lock_pools(ids).await?;
        pools.retain(|pool| pool.owner_id == owner);
        work.commit().await?;
        Ok(pools)
    }
}

/// There is nobody of this name.
pub(crate) fn no_user(name: &str) -> Error {
    Error::new(Reason::UserNotFound, format!("there is no user {name}; check the spelling")).with("name", name)
}

/// Pools that are to end, whose each is said to be, and why it ends.
pub(crate) type Ends = BTreeMap<PoolId, (UserId, String)>;

/// Kills pools, which thereby end, but what is worth rescuing. Whoever else got one of them since it was looked at has not asked for its end.
pub(crate) async fn end_pools(work: &mut Work, ends: &Ends) -> Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = ends.keys().copied().collect();
    let seen = work.tx.appliances_of_pools(&ids, false).await?;
    let subjects: Vec<_> = seen.iter().map(|appliance| Subject::Appliance(appliance.id)).collect();
    work.tx.live_workflows(&subjects).await?;
    let mut pools: Vec<Pool> = work.tx.lock_pools(&ids).await?;
    pools.retain(|pool| ends.get(&pool.id).is_some_and(|(owner, _)| pool.owner_id == *owner) && !pool.state.is_final());
    let live: Vec<_> = pools.iter().map(|pool| pool.id).collect();
    // Nothing can be added any more; what was added between the look and the lock is there now.
    let all: Vec<_> = work.tx.appliances_of_pools(&live, false).await?.iter().map(|appliance| appliance.id).collect();
    let appliances = work.tx.lock_appliances(&all).await?;
    stop_waiting(work, &mut pools).await?;
    let rescued = rescue(work, &pools, &appliances).await?;
    let mut rest: BTreeMap<&str, Vec<ApplianceId>> = BTreeMap::new();
    for appliance in appliances.iter().filter(|appliance| !rescued.contains(&appliance.id)) {
        if let Some((_, why)) = appliance.pool_id.and_then(|id| ends.get(&id)) {
            rest.entry(why).or_default().push(appliance.id);
        }
    }
    // All that they lock is locked.
    for (why, ids) in rest {
        kill_appliances(work, &ids, why).await?;
    }
    // Of those that had nothing, or nothing that is not rescued.
    let locked = work.tx.lock_pools(&live).await?;
    settle_pools(work, &mut locked.into_iter().map(|pool| (pool.id, pool)).collect()).await
}

async fn by_id(work: &mut Work, ids: &[PoolId]) -> Result<BTreeMap<PoolId, Pool>> {
    Ok(work.tx.pools_by_id(ids).await?.into_iter().map(|pool| (pool.id, pool)).collect())
}

fn unanswered() -> Result<PoolView> {
    Err(Error::internal("no answer to a kill"))
}

/// Makes warm ones of what nobody could use yet, as far as such are wanted. Returns which (locked, as are their pools).
async fn rescue(work: &mut Work, pools: &[Pool], appliances: &[Appliance]) -> Result<BTreeSet<ApplianceId>> {
    let unfinished = |appliance: &&Appliance| {
        pools.iter().any(|pool| Some(pool.id) == appliance.pool_id && pool.state < PoolState::Ready && !pool.update)
    };
    let untouched: Vec<_> = appliances.iter().filter(unfinished).filter(|a| is_untouched(a)).collect();
    let freed: Vec<(ApplianceId, Option<UserGroupId>)> = wanted_warm(work, &untouched).await?;
    work.tx.free_appliances(&freed).await?;
    let freed: BTreeSet<_> = freed.into_iter().map(|(id, _)| id).collect();
    for appliance in untouched.into_iter().filter(|appliance| freed.contains(&appliance.id)) {
        let says = format!("{} goes on as a warm one, since its pool ends before it is ready", appliance.name);
        emit_changed(work, appliance, None, says);
    }
    if !freed.is_empty() {
        work.wake(Topic::Warm);
    }
    Ok(freed)
}

/// It is on its way, and like any warm one: nobody could use it, and nobody asked for anything special.
fn is_untouched(appliance: &Appliance) -> bool {
    use ApplianceState::{Cloning, Preparing, Requested, Starting};
    matches!(appliance.state, Requested | Cloning | Starting | Preparing)
        && appliance.memory_mib.is_none()
        && appliance.cpus.is_none()
        && appliance.held_until.is_none()
        && appliance.new_name.is_none()
        && appliance.wanted_disk_mib.is_none()
}
