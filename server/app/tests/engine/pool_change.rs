//! Pools that change hands or become one, and what of ended ones is rescued.

use std::time::Duration;

use sprout_app::{
    CloneRequest, WantedShepherd,
    ports::{EventFilter, Store as _},
};
use sprout_domain::{
    PoolId, Reason, Secret,
    appliance::ApplianceState,
    event::EventKind,
    pool::{PoolRequest, PoolState},
    user::{Role, User},
    workflow::StepKind,
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    two_pools_become_one_and_stay_so,
    pools_of_two_kinds_stay_two,
    an_appliance_killed_while_pools_merge_settles_the_pool_it_is_in,
    a_pool_given_away_is_the_others,
    a_clone_is_like_its_pool_and_made_once,
    all_pools_of_a_user_end_and_nobody_elses,
    nothing_is_rescued_where_nothing_is_kept_warm,
    what_nobody_could_use_yet_goes_on_as_warm,
);

async fn ready(world: &World, count: u32) -> anyhow::Result<PoolId> {
    let pool = world.request(count, HOUR).await?;
    world.worker("w", &[]).await?.work().await?;
    Ok(pool)
}

async fn someone(world: &World, name: &str, sees: bool) -> anyhow::Result<User> {
    let user = world.app.create_user(name, Secret::new("correct horse"), Role::User).await?;
    if sees {
        let group = format!("group-of-{name}");
        let sue = User { role: Role::Superuser, ..world.user.clone() };
        world.app.create_user_group(&sue, &group, vec![name.to_owned()], vec!["lab".into()]).await?;
    }
    Ok(user)
}

fn staff(world: &World) -> User {
    User { role: Role::Staff, ..world.user.clone() }
}

async fn two_pools_become_one_and_stay_so(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (target, source) = (ready(&world, 2).await?, ready(&world, 1).await?);
    let lease = world.pool(source).await?.appliances[0].leased_until;
    let (one, other) = tokio::join!(
        world.app.merge_pools(&world.user, target, source),
        world.app.merge_pools(&world.user, target, source)
    );
    for view in [one?, other?, world.pool(target).await?] {
        assert_eq!((view.pool.count, view.appliances.len(), view.pool.state), (3, 3, PoolState::Ready));
        assert!(view.appliances.iter().any(|appliance| appliance.leased_until == lease), "leases stay as they are");
    }
    let left = world.pool(source).await?;
    assert_eq!((left.pool.state, left.pool.count, left.appliances.len()), (PoolState::Ended, 0, 0));
    // Into another one it cannot go any more.
    let third = ready(&world, 1).await?;
    let refused = world.app.merge_pools(&world.user, third, source).await.unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);
    let itself = world.app.merge_pools(&world.user, third, third).await.unwrap_err();
    assert_eq!(itself.reason, Reason::InvalidArgument);
    Ok(())
}

async fn pools_of_two_kinds_stay_two(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = someone(&world, "ben", true).await?;
    let mine = ready(&world, 1).await?;
    let theirs = world.app.request_pool(&ben, PoolRequest::new("r", "app", 1)).await?.view.pool.id;
    let waiting = world.app.merge_pools(&staff(&world), mine, theirs).await.unwrap_err();
    assert_eq!(waiting.reason, Reason::WrongState);
    world.worker("w", &[]).await?.work().await?;
    let hidden = world.app.merge_pools(&world.user, mine, theirs).await.unwrap_err();
    assert_eq!(hidden.reason, Reason::PoolNotFound);
    let differ = world.app.merge_pools(&staff(&world), mine, theirs).await.unwrap_err();
    assert_eq!((differ.reason, differ.metadata), (Reason::PoolsDiffer, vec![("field", "owner".to_owned())]));
    assert_eq!(world.pool(mine).await?.appliances.len(), 1);
    Ok(())
}

/// Many rounds, since it is the two transactions that must meet.
async fn an_appliance_killed_while_pools_merge_settles_the_pool_it_is_in(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    for _ in 0..10 {
        let (target, source) = (ready(&world, 1).await?, ready(&world, 1).await?);
        for pool in [target, source] {
            assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ready);
        }
        let keeper = world.pool(target).await?.appliances[0].id;
        let moved = world.pool(source).await?.appliances[0].id;
        let (merged, one, other) = tokio::join!(
            world.app.merge_pools(&world.user, target, source),
            world.app.kill_appliance(&world.user, moved),
            world.app.kill_appliance(&world.user, keeper),
        );
        one?;
        other?;
        world.worker("w", &[]).await?.work().await?;
        assert_eq!(world.pool(target).await?.pool.state, PoolState::Ended, "merged: {}", merged.is_ok());
        assert_eq!(world.pool(source).await?.pool.state, PoolState::Ended, "merged: {}", merged.is_ok());
    }
    Ok(())
}

async fn a_pool_given_away_is_the_others(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (ben, _) = (someone(&world, "ben", true).await?, someone(&world, "cal", false).await?);
    world.worker("w", &[]).await?;
    let request = PoolRequest::new("r", "app", 1);
    let pool = world.app.request_pool(&world.user, request.clone()).await?.view.pool.id;
    // The same request id is the other's pool already; both stay.
    world.app.request_pool(&ben, PoolRequest { count: 0, ..request.clone() }).await?;
    for (name, reason) in [("nobody", Reason::UserNotFound), ("cal", Reason::ProviderNotUsable)] {
        assert_eq!(world.app.transfer_pool(&world.user, pool, name).await.unwrap_err().reason, reason, "{name}");
    }
    assert_eq!(world.app.transfer_pool(&ben, pool, "ben").await.unwrap_err().reason, Reason::PoolNotFound);
    let view = world.app.transfer_pool(&world.user, pool, "ben").await?;
    assert_eq!((view.pool.owner.as_str(), view.appliances[0].owner.as_deref()), ("ben", Some("ben")));
    assert_eq!(world.pool(pool).await.unwrap_err().reason, Reason::PoolNotFound);
    assert_eq!(world.app.pool(&ben, pool).await?, view);
    // Whoever repeats the request gets no second pool.
    let again = world.app.request_pool(&world.user, request).await?;
    assert!(again.repeated && again.view.pool.id == pool);
    let events = world.database.store().read().await?.events_after(0, &EventFilter::default(), 1000).await?;
    let told = events.iter().filter(|event| event.fact.kind == EventKind::PoolChanged);
    assert_eq!(told.map(|event| event.fact.message.clone()).collect::<Vec<_>>(), ["ann gave pool 1 from ann to ben"]);
    Ok(())
}

async fn a_clone_is_like_its_pool_and_made_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let pool = ready(&world, 2).await?;
    let wanted = |id: &str| CloneRequest { request_id: id.to_owned(), count: None, lease: None };
    let first = world.app.clone_pool(&world.user, pool, wanted("c")).await?;
    let clone = &first.view.pool;
    assert_eq!((clone.count, clone.lease, clone.version.as_str(), first.repeated), (2, HOUR, "1.0", false));
    // What it was cloned from is another one meanwhile.
    world.app.describe_pool(&world.user, pool, "changed").await?;
    let again = world.app.clone_pool(&world.user, pool, wanted("c")).await?;
    assert!(again.repeated && again.view.pool.id == clone.id);
    let other = CloneRequest { count: Some(1), ..wanted("c") };
    assert_eq!(world.app.clone_pool(&world.user, pool, other).await.unwrap_err().reason, Reason::RequestIdReused);
    Ok(())
}

async fn all_pools_of_a_user_end_and_nobody_elses(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = someone(&world, "ben", true).await?;
    for _ in 0..3 {
        ready(&world, 1).await?;
    }
    let theirs = world.app.request_pool(&ben, PoolRequest::new("r", "app", 1)).await?.view.pool.id;
    assert_eq!(world.app.kill_pools(&ben, Some("ann")).await.unwrap_err().reason, Reason::NotAllowed);
    let killed = world.app.kill_pools(&world.user, None).await?;
    assert_eq!(killed.iter().map(|view| view.pool.state).collect::<Vec<_>>(), [PoolState::Ending; 3]);
    assert!(world.app.kill_pools(&world.user, Some("ann")).await?.is_empty(), "once is enough");
    assert_eq!(world.app.pool(&ben, theirs).await?.pool.state, PoolState::Waiting);
    let by_staff = world.app.kill_pools(&User { name: "stan".to_owned(), ..staff(&world) }, Some("ben")).await?;
    assert_eq!(by_staff.len(), 1);
    Ok(())
}

async fn nothing_is_rescued_where_nothing_is_kept_warm(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let pool = world.request(2, HOUR).await?;
    let view = world.app.kill_pool(&world.user, pool).await?;
    assert_eq!((view.pool.state, view.appliances.len()), (PoolState::Ended, 0));
    Ok(())
}

async fn what_nobody_could_use_yet_goes_on_as_warm(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let one = WantedShepherd { group: "app".into(), user_group: None, preconfigured: 1, unconfigured: 0, demand: None };
    world.app.set_shepherd(&staff(&world), one).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(3, HOUR).await?;
    // One of them is ready, and could be used.
    let mut claimed = worker.claim().await?;
    let rest = claimed.split_off(1);
    assert!(worker.finish(key(&claimed[0]), well(StepKind::Clone)).await?);
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.ready_count(), 1);
    let view = world.app.kill_pool(&world.user, pool).await?;
    assert_eq!(view.pool.state, PoolState::Ending);
    let mut killing: Vec<_> = view.appliances.iter().map(|appliance| appliance.state).collect();
    killing.dedup();
    assert_eq!((killing, view.appliances.len()), (vec![ApplianceState::Killing], 2), "one is rescued");
    // It goes on as if nothing had happened; the others end.
    for assignment in &rest {
        worker.finish(key(assignment), well(StepKind::Clone)).await?;
    }
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    let next = world.app.request_pool(&world.user, PoolRequest::new("next", "app", 1)).await?;
    assert_eq!(next.view.pool.state, PoolState::Ready, "it was warm");
    Ok(())
}
