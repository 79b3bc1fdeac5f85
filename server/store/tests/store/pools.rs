//! Pools: what is stored comes back, request ids are used once, locks hold, lists page.

use std::time::Duration;

use sprout_app::ports::{Page, PoolChange, PoolFilter};
use sprout_domain::{PoolId, Reason, pool::PoolState, user::Role};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(
    what_is_stored_comes_back,
    one_of_two_equal_requests_wins,
    a_change_marks_when,
    a_locked_pool_waits_for_the_decision,
    lists_are_filtered_and_paged,
);

const ALL: Page = Page { before: None, limit: 100 };

async fn what_is_stored_comes_back(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r1").await?;
    assert_eq!(pool.created_at, tx.now());
    tx.commit().await?;

    let mut tx = world.write().await?;
    assert_eq!(tx.pool(pool.id).await?.as_ref(), Some(&pool));
    assert_eq!(tx.pools_by_request(&[(world.user.id, "r1".into())]).await?, std::slice::from_ref(&pool));
    assert_eq!(tx.lock_pool(pool.id).await?.as_ref(), Some(&pool));
    assert_eq!(tx.pools(&PoolFilter::default(), ALL).await?, [pool]);
    assert_eq!(tx.pool(PoolId(99)).await?, None);
    assert_eq!(tx.lock_pool(PoolId(99)).await?, None);
    assert_eq!(tx.pools_by_request(&[(world.user.id, "r2".into())]).await?, []);
    Ok(())
}

async fn one_of_two_equal_requests_wins(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let request = async {
        let mut tx = world.write().await?;
        // Both look before either inserts, where two can write at once.
        let there = tx.pools_by_request(&[(world.user.id, "r1".into())]).await?.pop();
        tokio::task::yield_now().await;
        let pool = match there {
            Some(pool) => pool,
            None => world.pool(&mut tx, "r1").await?,
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(pool.id)
    };
    let again = async {
        let mut tx = world.write().await?;
        let pool = world.pool(&mut tx, "r1").await;
        tx.commit().await?;
        pool.map(|pool| pool.id)
    };
    let (first, second) = tokio::join!(request, again);
    let won = [&first, &second].into_iter().filter(|result| result.is_ok()).count();
    assert!(won >= 1);
    for lost in [first, second].into_iter().filter_map(Result::err) {
        assert_eq!(lost.reason, Reason::RequestIdReused);
    }
    let mut tx = world.read().await?;
    assert!(tx.pools_by_request(&[(world.user.id, "r1".into())]).await?.pop().is_some());
    assert_eq!(tx.pools(&PoolFilter::default(), ALL).await?.len(), 1);
    Ok(())
}

async fn a_change_marks_when(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let (a, b) = (world.pool(&mut tx, "a").await?, world.pool(&mut tx, "b").await?);
    tx.commit().await?;

    let change = |state| PoolChange { state: Some(state), ..PoolChange::default() };
    let mut tx = world.write().await?;
    let fulfilled = tx.now();
    tx.change_pools(&[a.id, b.id], &change(PoolState::Ready)).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    let ended = tx.now();
    tx.change_pools(&[a.id], &change(PoolState::Ready)).await?;
    tx.change_pools(&[], &change(PoolState::Failed)).await?;
    let status = Some("gave up".to_owned());
    tx.change_pools(
        &[b.id],
        &PoolChange { state: Some(PoolState::Failed), status, add_failures: 2, ..PoolChange::default() },
    )
    .await?;
    tx.change_pools(&[b.id], &PoolChange { add_failures: 1, ..PoolChange::default() }).await?;
    tx.commit().await?;

    let mut tx = world.read().await?;
    let (a, b) = (tx.pool(a.id).await?.unwrap(), tx.pool(b.id).await?.unwrap());
    assert!(ended > fulfilled);
    assert_eq!((a.state, a.fulfilled_at, a.ended_at), (PoolState::Ready, Some(fulfilled), None));
    assert_eq!((b.state, b.fulfilled_at, b.ended_at), (PoolState::Failed, Some(fulfilled), Some(ended)));
    assert_eq!((b.status.as_str(), b.failure_count, a.failure_count), ("gave up", 3, 0));
    Ok(())
}

async fn a_locked_pool_waits_for_the_decision(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let (a, b) = (world.pool(&mut tx, "a").await?.id, world.pool(&mut tx, "b").await?.id);
    tx.commit().await?;

    let mut tx = world.write().await?;
    tx.lock_pools(&[b, a]).await?;
    let other = async {
        let mut tx = world.write().await?;
        let locked = tx.lock_pools(&[b, a]).await?;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(locked)
    };
    let mut other = std::pin::pin!(other);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut other).await.is_err(), "the lock does not hold");
    tx.change_pools(&[a], &PoolChange { state: Some(PoolState::Ending), ..PoolChange::default() }).await?;
    tx.commit().await?;
    let locked: Vec<_> = other.await?.into_iter().map(|pool| (pool.id, pool.state)).collect();
    assert_eq!(locked, [(a, PoolState::Ending), (b, PoolState::Waiting)]);
    Ok(())
}

async fn lists_are_filtered_and_paged(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let bob = tx.insert_user("bob", "hash", Role::User).await?;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.pool(&mut tx, &format!("r{n}")).await?.id);
    }
    let mut of_bob = world.new_pool("r0"); // a request id is one owner's
    of_bob.owner = bob.clone();
    let of_bob = tx.insert_pools(vec![of_bob]).await?.remove(0);
    let ready = PoolChange { state: Some(PoolState::Ready), ..PoolChange::default() };
    tx.change_pools(&ids[1..3], &ready).await?;
    tx.commit().await?;

    let mut tx = world.read().await?;
    let ann = PoolFilter { owner: Some("ann".to_owned()), ..PoolFilter::default() };
    let page: Vec<_> = tx.pools(&ann, Page { before: None, limit: 2 }).await?.iter().map(|pool| pool.id).collect();
    assert_eq!(page, [ids[4], ids[3]]);
    let page = tx.pools(&ann, Page { before: Some(ids[3].0), limit: 10 }).await?;
    assert_eq!(page.iter().map(|pool| pool.id).collect::<Vec<_>>(), [ids[2], ids[1], ids[0]]);
    let ready = PoolFilter { states: vec![PoolState::Ready, PoolState::Failed], ..ann };
    assert_eq!(tx.pools(&ready, ALL).await?.len(), 2);
    let of = PoolFilter { owner_id: Some(bob.id), ..PoolFilter::default() };
    assert_eq!(tx.pools(&of, ALL).await?, [of_bob]);
    Ok(())
}
