//! What owners do with pools besides using them: describe, clone, merge, and give away.

use std::{sync::Arc, time::Duration};

use sprout_domain::{
    Error, PoolId, Reason, Result,
    appliance::{Appliance, ApplianceState},
    event::{EventKind, NewEvent},
    pool::{MAX_COUNT, Pool, PoolEvent, PoolRequest, PoolState, check_description},
    quota::{Quota, QuotaUse},
    user::User,
    workflow::Subject,
};

use crate::{
    App, PoolView, RequestedPool,
    hold::{self, emit_changed},
    pool::{advance_pool, owned, view},
    pool_kill::no_user,
    ports::{PoolChange, QuotaAndUse, Topic},
    usage,
    visibility::visible_to,
    work::{Work, repeated},
};

/// What a clone of a pool has of its own.
#[derive(Debug, Clone)]
pub struct CloneRequest {
    /// As in [`PoolRequest`].
    pub request_id: String,
    /// Appliances wanted; none: as many as the pool wanted.
    pub count: Option<u32>,
    /// Lease; none: as long as the pool's.
    pub lease: Option<Duration>,
}

impl App {
    /// Sets a pool's description.
    pub async fn describe_pool(&self, caller: &User, id: PoolId, description: &str) -> Result<PoolView> {
        check_description(description)?;
        repeated(|| self.try_describe_pool(caller, id, description)).await
    }

    async fn try_describe_pool(&self, caller: &User, id: PoolId, description: &str) -> Result<PoolView> {
        let mut work = self.work().await?;
        owned(work.tx.as_mut(), caller, id).await?;
        let mut pool = work.tx.lock_pool(id).await?.ok_or_else(|| Error::internal("a pool vanished"))?;
        if pool.description != description {
            work.tx.describe_pool(id, description).await?;
            description.clone_into(&mut pool.description);
            emit_pool_changed(&mut work, &pool, caller, format!("{} described pool {id}: {description}", caller.name));
        }
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }

    /// Requests another pool of the same kind: same group, version, date and filters. The same request id gives the same pool.
    pub async fn clone_pool(
        self: &Arc<Self>,
        caller: &User,
        id: PoolId,
        wanted: CloneRequest,
    ) -> Result<RequestedPool> {
        let mut tx = self.ports.store.read().await?;
        let pool = owned(tx.as_mut(), caller, id).await?;
        // What the pool is like now may differ from what it was when the request was made first.
        let known = tx.pools_by_request(&[(caller.id, wanted.request_id.clone())]).await?.pop();
        if let Some(known) = known.filter(|known| is_clone(known, &pool, &wanted)) {
            return Ok(RequestedPool { view: view(tx.as_mut(), known).await?, repeated: true });
        }
        drop(tx);
        self.request_pool(caller, again(&pool, wanted)).await
    }

    /// Moves all appliances of `source` into `target`, and ends `source`. Done already if it was done before.
    pub async fn merge_pools(&self, caller: &User, target: PoolId, source: PoolId) -> Result<PoolView> {
        if target == source {
            return Err(Error::invalid("source_id", "a pool cannot be merged with itself; name two pools"));
        }
        repeated(|| self.try_merge_pools(caller, target, source)).await
    }

    async fn try_merge_pools(&self, caller: &User, target: PoolId, source: PoolId) -> Result<PoolView> {
        let mut work = self.work().await?;
        for id in [target, source] {
            owned(work.tx.as_mut(), caller, id).await?;
        }
        let moved = lock_all(&mut work, &[target, source], source).await?;
        let (mut into, from) = two(work.tx.lock_pools(&[target, source]).await?, target)?;
        if from.state == PoolState::Ended && from.status == merged_into(target) {
            let view = view(work.tx.as_mut(), into).await?;
            work.commit().await?;
            return Ok(view);
        }
        check_merge(&into, &from)?;
        let quota = work.tx.quotas_and_use(&[into.owner_id]).await?.remove(&into.owner_id);
        if let Some(QuotaAndUse { quota, .. }) = quota {
            Quota { pools: None, appliances: None, ..quota }
                .allows_pool(QuotaUse::default(), into.count + from.count)?;
        }
        work.tx.move_appliances(source, target).await?;
        into.count += from.count;
        work.tx.set_pool_count(target, into.count).await?;
        for appliance in &moved {
            let appliance = Appliance { pool_id: Some(target), ..appliance.clone() };
            let says = format!("{} moved from pool {source} to pool {target}", appliance.name);
            emit_changed(&mut work, &appliance, Some(caller), says);
        }
        let says = format!("{} merged pool {source} into pool {target}", caller.name);
        emit_pool_changed(&mut work, &into, caller, says);
        end_merged(&mut work, from, target).await?;
        let view = view(work.tx.as_mut(), into).await?;
        work.commit().await?;
        Ok(view)
    }

    /// Gives the pool to another user, who must see all its providers. Returns it although the caller may no longer see it.
    pub async fn transfer_pool(&self, caller: &User, id: PoolId, to: &str) -> Result<PoolView> {
        repeated(|| self.try_transfer_pool(caller, id, to)).await
    }

    async fn try_transfer_pool(&self, caller: &User, id: PoolId, to: &str) -> Result<PoolView> {
        let mut work = self.work().await?;
        owned(work.tx.as_mut(), caller, id).await?;
        let (heir, _) = work.tx.user_by_name(to).await?.ok_or_else(|| no_user(to))?;
        // Nobody else counts what the heir has until this is done; users are locked before pools.
        let quota = work.tx.lock_quotas(&[heir.id]).await?.remove(&heir.id);
        work.tx.take_turn(&hold::turn(heir.id)).await?;
        let pool = work.tx.lock_pool(id).await?.ok_or_else(|| Error::internal("a pool vanished"))?;
        let appliances = work.tx.appliances_of_pools(&[id], false).await?;
        if pool.owner_id != heir.id {
            check_heir(&mut work, &pool, &appliances, &heir).await?;
            check_quota(&pool, &heir, quota)?;
            account_until_now(&mut work, &appliances).await?;
            work.tx.transfer_pool(id, heir.id).await?;
            let says = format!("{} gave pool {id} from {} to {}", caller.name, pool.owner, heir.name);
            // Both are told: the one who has it now, and the one who had it, for whom this is the last of it.
            work.emit(NewEvent { former_owner_id: Some(pool.owner_id), ..pool_changed(&pool, caller, says) });
            work.wake(Topic::Leases);
        }
        let pool = work.tx.lock_pool(id).await?.ok_or_else(|| Error::internal("a pool vanished"))?;
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }
}

/// What was used so far is the usage of the owner so far.
async fn account_until_now(work: &mut Work, appliances: &[Appliance]) -> Result<()> {
    let ids: Vec<_> = appliances.iter().map(|appliance| appliance.id).collect();
    let mut locked = work.tx.lock_appliances(&ids).await?;
    locked.retain(|appliance| appliance.state != ApplianceState::Killing);
    usage::account(work, &locked).await
}

/// A pool is a clone of another: of its kind, with what the clone was to have of its own.
fn is_clone(known: &Pool, pool: &Pool, wanted: &CloneRequest) -> bool {
    known.provider == pool.provider
        && known.provider_type == pool.provider_type
        && Pool { owner_id: known.owner_id, ..pool.clone() }.difference(known).is_none()
        && known.count == wanted.count.unwrap_or(pool.count)
        && known.lease == wanted.lease.unwrap_or(pool.lease)
}

/// The request for another pool like this one.
fn again(pool: &Pool, wanted: CloneRequest) -> PoolRequest {
    PoolRequest {
        version: Some(pool.version.clone()),
        date: Some(pool.date),
        provider: pool.provider.clone(),
        lease: Some(wanted.lease.unwrap_or(pool.lease)),
        description: pool.description.clone(),
        memory_mib: pool.memory_mib,
        cpus: pool.cpus,
        provider_type: pool.provider_type.clone(),
        template_type: pool.template_type,
        unconfigured: pool.unconfigured,
        update: pool.update,
        priority: Some(pool.priority),
        keep_alive: pool.keep_alive,
        wait_limit: pool.wait_until.and_then(|until| (until - pool.created_at).to_std().ok()),
        ..PoolRequest::new(wanted.request_id, &*pool.group.0, wanted.count.unwrap_or(pool.count))
    }
}

/// Locks tasks of a pool's appliances, then these pools, then the appliances, which are returned. Results that come in meanwhile wait, and then
/// find the appliances in the pool they are in.
async fn lock_all(work: &mut Work, pools: &[PoolId], of: PoolId) -> Result<Vec<Appliance>> {
    let seen = work.tx.appliances_of_pools(&[of], false).await?;
    let subjects: Vec<_> = seen.iter().map(|appliance| Subject::Appliance(appliance.id)).collect();
    work.tx.live_workflows(&subjects).await?;
    work.tx.lock_pools(pools).await?;
    let ids: Vec<_> = work.tx.appliances_of_pools(&[of], false).await?.iter().map(|appliance| appliance.id).collect();
    work.tx.lock_appliances(&ids).await
}

fn two(pools: Vec<Pool>, target: PoolId) -> Result<(Pool, Pool)> {
    let (mut into, mut from): (Vec<_>, Vec<_>) = pools.into_iter().partition(|pool| pool.id == target);
    into.pop().zip(from.pop()).ok_or_else(|| Error::internal("a pool vanished"))
}

fn check_merge(into: &Pool, from: &Pool) -> Result<()> {
    if let Some(pool) = [into, from].into_iter().find(|pool| pool.state != PoolState::Ready) {
        let message = format!("pool {} is {}; only ready pools can be merged", pool.id, pool.state);
        return Err(Error::new(Reason::WrongState, message));
    }
    if let Some(difference) = into.difference(from) {
        let message = format!(
            "pools {} and {} differ in {}: {} and {}; only pools that are alike can be merged",
            into.id, from.id, difference.field, difference.one, difference.other
        );
        return Err(Error::new(Reason::PoolsDiffer, message).with("field", difference.field));
    }
    if into.count.saturating_add(from.count) > MAX_COUNT {
        let message = format!("a pool has at most {MAX_COUNT} appliances, and these two have more; keep them apart");
        return Err(Error::new(Reason::PoolsDiffer, message).with("field", "count"));
    }
    Ok(())
}

fn merged_into(target: PoolId) -> String {
    format!("merged into pool {target}")
}

async fn end_merged(work: &mut Work, mut from: Pool, target: PoolId) -> Result<()> {
    let status = merged_into(target);
    let change = PoolChange { status: Some(status.clone()), ..PoolChange::default() };
    work.tx.change_pools(&[from.id], &change).await?;
    work.tx.set_pool_count(from.id, 0).await?;
    advance_pool(work, &mut from, PoolEvent::Empty, &format!("ended: {status}")).await?;
    Ok(())
}

/// Whether a pool may become this user's.
async fn check_heir(work: &mut Work, pool: &Pool, appliances: &[Appliance], heir: &User) -> Result<()> {
    if pool.state >= PoolState::Ending {
        let message = format!("pool {} is {}, and there is nothing left to give away", pool.id, pool.state);
        return Err(Error::new(Reason::WrongState, message));
    }
    if heir.disabled {
        let message = format!("user {} is disabled and can be given nothing; choose another one", heir.name);
        return Err(Error::new(Reason::WrongState, message).with("name", &*heir.name));
    }
    let sees = visible_to(work.tx.as_mut(), heir).await?;
    let mut providers = appliances.iter().map(|appliance| &appliance.provider).chain(&pool.provider);
    if let Some(unseen) = providers.find(|provider| !sees.sees(provider)) {
        let message = format!(
            "user {} has no access to provider {unseen}, which pool {} uses; a user group gives it (see `sproutctl user-group`)",
            heir.name, pool.id
        );
        return Err(Error::new(Reason::ProviderNotUsable, message).with("provider", &*unseen.0));
    }
    let held = appliances.iter().filter(|appliance| appliance.held_until.is_some()).count();
    hold::check_limit(work, heir.id, u32::try_from(held).unwrap_or(u32::MAX)).await
}

fn check_quota(pool: &Pool, heir: &User, quota: Option<QuotaAndUse>) -> Result<()> {
    let Some(QuotaAndUse { quota, used }) = quota else { return Ok(()) };
    quota.allows_pool(used, pool.count).map_err(|error| Error {
        message: format!(
            "the quota of user {} leaves no room for pool {}; give it to someone else",
            heir.name, pool.id
        ),
        ..error
    })
}

/// Adds an event about a pool of which something other than its state has changed.
fn emit_pool_changed(work: &mut Work, pool: &Pool, caller: &User, message: String) {
    work.emit(pool_changed(pool, caller, message));
}

fn pool_changed(pool: &Pool, caller: &User, message: String) -> NewEvent {
    NewEvent {
        pool_id: Some(pool.id),
        user: Some(caller.name.clone()),
        ..NewEvent::new(EventKind::PoolChanged, message)
    }
}
