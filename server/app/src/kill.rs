//! Killing appliances, for whatever reason: by request, because their lease ended, because they failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sprout_domain::{
    ApplianceId, Error, PoolId, Reason, Result,
    appliance::{Appliance, ApplianceEvent, ApplianceState},
    event::EventKind,
    pool::{Pool, PoolEvent, PoolState},
    workflow::{Subject, WorkflowKind},
};

use crate::{
    late::KILL_LIMIT,
    pool::fulfil,
    ports::{ApplianceChange, Ended, LiveWorkflow, NewWorkflow, PoolChange, Topic},
    preparation, usage,
    work::Work,
    workflow::end_workflows,
};

/// Kills these appliances and settles their pools. Those already being killed, or gone, are left alone. Locks tasks, then pools, then appliances.
pub(crate) async fn kill_appliances(work: &mut Work, ids: &[ApplianceId], why: &str) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let subjects: Vec<_> = ids.iter().copied().map(Subject::Appliance).collect();
    let live = work.tx.live_workflows(&subjects).await?;
    let unlocked = work.tx.appliances_by_id(ids).await?;
    let mut pools: BTreeMap<PoolId, Pool> = lock_pools(work, &unlocked).await?;
    let appliances = locked(work, ids, &unlocked).await?;
    end_others(work, &live).await?;
    let ending: Vec<_> = appliances.iter().filter(|a| a.state.after(ApplianceEvent::Kill).is_some()).cloned().collect();
    usage::account(work, &ending).await?;
    mark_killed(work, &appliances, &pools, why).await?;
    settle_pools(work, &mut pools).await?;
    work.wake(Topic::Tasks);
    work.wake(Topic::Queue);
    work.wake(Topic::Cancels);
    work.wake(Topic::Leases);
    work.wake(Topic::Warm);
    work.wake(Topic::Templates);
    if ending.iter().any(|appliance| !configured(work, appliance)) {
        work.wake(Topic::Late);
    }
    Ok(())
}

/// Locks appliances with all that belongs to them, in the order in which everyone does.
pub(crate) async fn lock(work: &mut Work, ids: &[ApplianceId]) -> Result<Vec<Appliance>> {
    let subjects: Vec<_> = ids.iter().copied().map(Subject::Appliance).collect();
    work.tx.live_workflows(&subjects).await?;
    let unlocked = work.tx.appliances_by_id(ids).await?;
    lock_pools(work, &unlocked).await?;
    locked(work, ids, &unlocked).await
}

/// Locks appliances whose pools are locked. One that was moved to another pool since it was seen has that one still to be locked: begin again.
async fn locked(work: &mut Work, ids: &[ApplianceId], seen: &[Appliance]) -> Result<Vec<Appliance>> {
    let appliances = work.tx.lock_appliances(ids).await?;
    let moved = |(now, then): (&Appliance, &Appliance)| now.pool_id != then.pool_id;
    if appliances.iter().zip(seen).any(moved) {
        return Err(Error::new(Reason::Conflict, "an appliance was moved to another pool meanwhile"));
    }
    Ok(appliances)
}

async fn lock_pools(work: &mut Work, appliances: &[Appliance]) -> Result<BTreeMap<PoolId, Pool>> {
    let ids: BTreeSet<_> = appliances.iter().filter_map(|a| a.pool_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    Ok(work.tx.lock_pools(&ids).await?.into_iter().map(|pool| (pool.id, pool)).collect())
}

/// Whatever else was under way with them ends.
async fn end_others(work: &mut Work, live: &[LiveWorkflow]) -> Result<()> {
    let ids: Vec<_> = live.iter().filter(|w| w.kind != WorkflowKind::Kill).map(|w| w.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    work.tx.cancel_tasks(&ids).await?;
    end_workflows(work, &ids.into_iter().map(Ended::cancelled).collect::<Vec<_>>()).await
}

/// Whether anybody can do anything on its provider.
fn configured(work: &Work, appliance: &Appliance) -> bool {
    work.catalogue.providers.contains_key(&appliance.provider)
}

async fn mark_killed(
    work: &mut Work,
    appliances: &[Appliance],
    pools: &BTreeMap<PoolId, Pool>,
    why: &str,
) -> Result<()> {
    let ids: Vec<_> = appliances.iter().map(|appliance| appliance.id).collect();
    let busy = work.tx.busy_appliances(&ids).await?;
    let mut by_state: BTreeMap<ApplianceState, Vec<ApplianceId>> = BTreeMap::new();
    let mut workflows = Vec::new();
    for appliance in appliances {
        let Some(state) = appliance.state.after(ApplianceEvent::Kill) else { continue };
        by_state.entry(state).or_default().push(appliance.id);
        let killed = Appliance { state, ..appliance.clone() };
        work.emit_appliance(EventKind::ApplianceState, &killed, format!("{} is {state}: {why}", appliance.name));
        if state == ApplianceState::Killing {
            let subject = Subject::Appliance(appliance.id);
            workflows.push(NewWorkflow {
                // A step that is still with a worker could create what we are about to delete: it must end first.
                wait: busy.contains(&appliance.id),
                late_in: Some(if configured(work, appliance) { KILL_LIMIT } else { Duration::ZERO }),
                owner_id: appliance.pool_id.and_then(|id| pools.get(&id)).map(|pool| pool.owner_id),
                ..NewWorkflow::new(WorkflowKind::Kill, subject, Some(appliance.provider.clone()))
            });
        }
    }
    preparation::abandoned(work, appliances, why).await?;
    for (state, ids) in by_state {
        let change = ApplianceChange { state: Some(state), status: Some(why.to_owned()), ..ApplianceChange::default() };
        work.tx.change_appliances(&ids, &change).await?;
    }
    let held: Vec<_> = appliances.iter().filter(|a| a.held_until.is_some()).map(|a| a.id).collect();
    work.tx.set_hold(&held, None).await?;
    if !workflows.is_empty() {
        work.tx.insert_workflows(workflows).await?;
    }
    Ok(())
}

/// Brings pools (locked) to the state their appliances are in: ready when all that count are, ending when none of them counts any more, ended
/// when none is left, and not while it waits for more. A deployment that failed waits to be made up for in the transaction that says so; an appliance that was killed by request is not, and
/// its pool does not wait for it.
pub(crate) async fn settle_pools(work: &mut Work, pools: &mut BTreeMap<PoolId, Pool>) -> Result<()> {
    let ids: Vec<_> = pools.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let left = work.tx.appliances_of_pools(&ids, false).await?;
    for pool in pools.values_mut() {
        let wanted: Vec<_> = left.iter().filter(|a| a.pool_id == Some(pool.id) && a.state.counts()).collect();
        if pool.waiting_count == 0 && !wanted.is_empty() && wanted.iter().all(|a| a.state == ApplianceState::Ready) {
            fulfil(work, pool).await?;
        }
    }
    for (what, pool_event, message) in [
        (PoolState::Ending, PoolEvent::Kill, "ending: its appliances are being killed"),
        (PoolState::Ended, PoolEvent::Empty, "ended: nothing of it is left"),
    ] {
        let mut changed = Vec::new();
        for pool in pools.values_mut().filter(|pool| pool.waiting_count == 0) {
            let mut mine = left.iter().filter(|a| a.pool_id == Some(pool.id)).peekable();
            let due = match what {
                PoolState::Ended => pool.waiting_count == 0 && mine.peek().is_none(),
                _ => pool.waiting_count == 0 && !mine.any(|a| a.state.counts()),
            };
            if let Some(state) = pool.state.after(pool_event).filter(|_| due) {
                pool.state = state;
                changed.push(pool.id);
            }
        }
        if !changed.is_empty() {
            work.tx.change_pools(&changed, &PoolChange { state: Some(what), ..PoolChange::default() }).await?;
            for id in &changed {
                if let Some(pool) = pools.get(id) {
                    work.emit_pool(EventKind::PoolState, pool, format!("pool {id} is {message}"));
                }
            }
        }
    }
    Ok(())
}
