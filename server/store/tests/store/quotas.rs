//! Quotas: what counts against them, and that two at once cannot both pass.

use std::time::Duration;

use sprout_app::ports::{PoolChange, QuotaAndUse};
use sprout_domain::{
    UserId,
    pool::PoolState,
    quota::{Quota, QuotaUse},
};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::world::World;

on_each_database!(what_has_not_ended_counts, who_waits_for_the_lock_counts_what_was_made_meanwhile);

async fn what_has_not_ended_counts(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ann = world.user.id;
    let mut tx = world.write().await?;
    let fresh = QuotaAndUse { quota: Quota::default(), used: QuotaUse::default() };
    assert_eq!(tx.quotas_and_use(&[ann, UserId(999)]).await?, [(ann, fresh)].into());
    assert!(tx.lock_quotas(&[]).await?.is_empty());
    let quota = Quota { appliances_per_pool: Some(0), pools: Some(7), appliances: Some(u32::MAX), weight: 100 };
    tx.set_quota(ann, &quota).await?;
    let states = [
        PoolState::Waiting,
        PoolState::Provisioning,
        PoolState::Ready,
        PoolState::Ending,
        PoolState::Ended,
        PoolState::Failed,
    ];
    for state in states {
        let pool = world.pool(&mut tx, state.as_str()).await?;
        tx.change_pools(&[pool.id], &PoolChange { state: Some(state), ..PoolChange::default() }).await?;
    }
    let used = QuotaUse { pools: 4, appliances: 8 };
    assert_eq!(tx.lock_quotas(&[ann]).await?, [(ann, QuotaAndUse { quota, used })].into());
    tx.set_quota(ann, &Quota::default()).await?;
    assert_eq!(tx.quotas_and_use(&[ann]).await?[&ann].quota, Quota::default());
    assert_eq!(tx.user_by_name("ann").await?.unwrap().0.quota, Quota::default());
    Ok(())
}

async fn who_waits_for_the_lock_counts_what_was_made_meanwhile(db: TestDatabase) -> anyhow::Result<()> {
    if db.kind() == Kind::Sqlite {
        return Ok(()); // writers take turns there
    }
    let world = World::new(db).await?;
    let ann = world.user.id;
    let (mut first, mut second) = (world.write().await?, world.write().await?);
    assert_eq!(first.lock_quotas(&[ann]).await?[&ann].used.pools, 0);
    let counted = {
        let users = [ann];
        let mut waiting = second.lock_quotas(&users);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(early.is_err(), "the lock does not hold");
        world.pool(&mut first, "first").await?;
        first.commit().await?;
        waiting.await?
    };
    assert_eq!(counted[&ann].used.pools, 1);
    Ok(())
}
