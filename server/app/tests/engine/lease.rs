//! Leases that end while someone extends them.

use std::time::Duration;

use sprout_app::Extension;
use sprout_domain::{appliance::ApplianceState, pool::PoolState};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(an_extension_is_kept_or_refused_never_both, an_ended_lease_kills_all_of_a_pool_once);

/// Many rounds, since it is the two transactions that must meet.
async fn an_extension_is_kept_or_refused_never_both(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let worker = world.worker("w", &[]).await?;
    let mut pools = Vec::new();
    for _ in 0..40 {
        pools.push(world.request(1, Duration::from_secs(2)).await?);
    }
    worker.work().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let expire = async {
        while world.app.expire_leases().await?.is_some_and(|next| next.is_zero()) {}
        anyhow::Ok(())
    };
    let extend = async {
        let mut kept = Vec::new();
        for id in pools.iter().rev() {
            if world.app.extend_pool(&world.user, *id, Extension::Time(Duration::from_secs(3600))).await.is_ok() {
                kept.push(*id);
            }
        }
        anyhow::Ok(kept)
    };
    let (expired, kept) = tokio::join!(expire, extend);
    expired?;
    for id in kept? {
        let view = world.pool(id).await?;
        assert_eq!(view.pool.state, PoolState::Ready, "pool {id} was extended and then killed");
        assert_eq!(view.ready_count(), 1);
    }
    Ok(())
}

async fn an_ended_lease_kills_all_of_a_pool_once(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(3, Duration::from_secs(1)).await?;
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.ready_count(), 3);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Two replicas at once.
    let (one, other) = tokio::join!(world.app.expire_leases(), world.app.expire_leases());
    one?;
    other?;
    let view = world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ending);
    assert!(view.appliances.iter().all(|a| a.state == ApplianceState::Killing));
    assert_eq!(worker.work().await?.len(), 9, "stop, delete and wait for each, once");
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}
