//! Reminders before the end of a lease, and holds beyond it. Moments are set in the store, so that nothing has to be waited for.

use std::time::Duration;

use sprout_app::{
    Extension,
    ports::{EventFilter, Hold, Store as _},
};
use sprout_domain::{
    ApplianceId, PoolId, Reason, Timestamp,
    appliance::ApplianceState,
    event::EventKind,
    lease::{self, LeaseEnd},
    pool::PoolState,
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_reminder_is_given_once_and_none_after_the_end,
    what_is_held_outlives_its_lease,
    a_hold_that_ends_late_kills_what_is_over,
    an_unheld_appliance_goes_if_its_lease_is_over,
    what_is_held_can_be_killed,
    holds_are_few,
    a_lease_that_never_ends_ends_by_extension,
);

/// A ready pool of this many.
async fn ready(world: &World, count: u32) -> anyhow::Result<(PoolId, Vec<ApplianceId>)> {
    let pool = world.request(count, HOUR).await?;
    world.worker("w", &[]).await?.work().await?;
    let view = world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready);
    Ok((pool, view.appliances.iter().map(|appliance| appliance.id).collect()))
}

fn at(now: Timestamp, seconds: i64) -> Timestamp {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { lease::begin(now, distance) } else { lease::end(now, distance) }
}

/// Sets the end of a lease, so many seconds from now, and when to remind of it.
async fn set_lease(world: &World, id: ApplianceId, left: i64, remind_in: Option<i64>) -> anyhow::Result<()> {
    let mut tx = world.database.store().write().await?;
    let now = tx.now();
    let end = LeaseEnd { until: Some(at(now, left)), remind_at: remind_in.map(|seconds| at(now, seconds)) };
    tx.set_lease(id, end).await?;
    Ok(tx.commit().await?)
}

async fn set_hold(world: &World, id: ApplianceId, left: i64) -> anyhow::Result<()> {
    let mut tx = world.database.store().write().await?;
    let until = at(tx.now(), left);
    tx.set_hold(&[id], Some(&Hold { until, reason: "looking".to_owned() })).await?;
    Ok(tx.commit().await?)
}

async fn told(world: &World, kind: EventKind) -> anyhow::Result<usize> {
    let events = world.database.store().read().await?.events_after(0, &EventFilter::default(), 1000).await?;
    Ok(events.iter().filter(|event| event.fact.kind == kind).count())
}

/// Acts on all that is due.
async fn expire(world: &World) -> anyhow::Result<Option<Duration>> {
    loop {
        match world.app.expire_leases().await? {
            Some(Duration::ZERO) => {}
            next => return Ok(next),
        }
    }
}

async fn a_reminder_is_given_once_and_none_after_the_end(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (_, ids) = ready(&world, 3).await?;
    let next = expire(&world).await?.unwrap();
    assert!(
        next <= HOUR.checked_sub(Duration::from_secs(600)).unwrap(),
        "the reminder is due before the end: {next:?}"
    );
    assert_eq!(told(&world, EventKind::LeaseReminder).await?, 0);
    set_lease(&world, ids[0], 599, Some(-1)).await?;
    // Missed, and by now over: nobody is told, and it goes.
    set_lease(&world, ids[1], -1, Some(-500)).await?;
    let (one, other) = tokio::join!(world.app.expire_leases(), world.app.expire_leases());
    one?;
    other?;
    expire(&world).await?;
    assert_eq!(told(&world, EventKind::LeaseReminder).await?, 1);
    assert_eq!(told(&world, EventKind::LeaseExpired).await?, 1);
    // An extension brings another one.
    world.app.extend_appliance(&world.user, ids[0], Extension::Time(HOUR)).await?;
    let next = expire(&world).await?.unwrap();
    assert!(next <= HOUR.checked_sub(Duration::from_secs(600)).unwrap(), "{next:?}");
    Ok(())
}

async fn what_is_held_outlives_its_lease(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (pool, ids) = ready(&world, 2).await?;
    let held = world.app.hold_appliance(&world.user, ids[0], "a crash to look at", HOUR).await?;
    assert_eq!(held.hold_reason, "a crash to look at");
    for id in &ids {
        set_lease(&world, *id, -1, None).await?;
    }
    expire(&world).await?;
    let view = world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready, "a pool of which something is held stays");
    let states: Vec<_> = view.appliances.iter().map(|appliance| appliance.state).collect();
    assert_eq!(states, [ApplianceState::Ready, ApplianceState::Killing]);
    // Its lease goes on.
    world.app.extend_appliance(&world.user, ids[0], Extension::Time(HOUR)).await?;
    let freed = world.app.unhold_appliance(&world.user, ids[0]).await?;
    assert_eq!((freed.state, freed.held_until), (ApplianceState::Ready, None));
    Ok(())
}

async fn a_hold_that_ends_late_kills_what_is_over(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (pool, ids) = ready(&world, 2).await?;
    for id in &ids {
        set_hold(&world, *id, -1).await?;
    }
    set_lease(&world, ids[0], -1, None).await?;
    expire(&world).await?;
    let view = world.pool(pool).await?;
    let states: Vec<_> = view.appliances.iter().map(|a| (a.state, a.held_until)).collect();
    assert_eq!(states, [(ApplianceState::Killing, None), (ApplianceState::Ready, None)]);
    assert_eq!(told(&world, EventKind::LeaseExpired).await?, 1);
    Ok(())
}

async fn an_unheld_appliance_goes_if_its_lease_is_over(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (pool, ids) = ready(&world, 1).await?;
    world.app.hold_appliance(&world.user, ids[0], "why", HOUR).await?;
    set_lease(&world, ids[0], -1, None).await?;
    let (one, other) =
        tokio::join!(world.app.unhold_appliance(&world.user, ids[0]), world.app.unhold_appliance(&world.user, ids[0]));
    one?;
    other?;
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.state, view.appliances[0].state), (PoolState::Ending, ApplianceState::Killing));
    assert_eq!(told(&world, EventKind::LeaseExpired).await?, 1);
    Ok(())
}

async fn what_is_held_can_be_killed(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (pool, ids) = ready(&world, 1).await?;
    world.app.hold_appliance(&world.user, ids[0], "why", HOUR).await?;
    let (killed, _) = world.app.kill_appliance(&world.user, ids[0]).await?;
    assert_eq!((killed.state, killed.held_until), (ApplianceState::Killing, None));
    let refused = world.app.hold_appliance(&world.user, ids[0], "why", HOUR).await.unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ending);
    Ok(())
}

async fn holds_are_few(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (_, ids) = ready(&world, 8).await?;
    let holds = ids.iter().map(|id| world.app.hold_appliance(&world.user, *id, "why", HOUR));
    let done = futures::future::join_all(holds).await;
    assert_eq!(done.iter().filter(|held| held.is_ok()).count(), 5, "{done:?}");
    assert!(done.iter().filter_map(|held| held.as_ref().err()).all(|error| error.reason == Reason::HoldLimit));
    // One that is held already counts once.
    let mine = done.iter().zip(&ids).find_map(|(held, id)| held.is_ok().then_some(*id)).unwrap();
    world.app.hold_appliance(&world.user, mine, "longer", HOUR * 2).await?;
    Ok(())
}

async fn a_lease_that_never_ends_ends_by_extension(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (pool, ids) = ready(&world, 1).await?;
    let refused = world.app.extend_pool(&world.user, pool, Extension::Never).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NotAllowed);
    let sue = sprout_domain::user::User { role: sprout_domain::user::Role::Superuser, ..world.user.clone() };
    let view = world.app.extend_pool(&sue, pool, Extension::Never).await?;
    assert_eq!((view.leased_until(), expire(&world).await?), (None, None));
    let ended = world.app.extend_appliance(&world.user, ids[0], Extension::Time(HOUR)).await?;
    assert!(ended.leased_until.is_some());
    Ok(())
}
