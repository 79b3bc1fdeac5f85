//! Pools whose appliances are killed or fail on the way.

use std::time::Duration;

use sprout_domain::{
    pool::PoolState,
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::timeout;

use crate::world::{PATIENCE, World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_pool_that_lost_an_appliance_by_request_gets_ready_with_the_rest,
    a_pool_whose_last_unready_appliance_is_killed_is_ready_at_once,
    many_deployments_that_fail_at_once_do_not_block_each_other,
    a_pool_killed_while_its_deployments_fail_ends,
);

async fn a_pool_that_lost_an_appliance_by_request_gets_ready_with_the_rest(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    let first = world.pool(pool).await?.appliances[0].id;
    world.app.kill_appliance(&world.user, first).await?;
    worker.work().await?;
    let view = world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready);
    assert!(view.leased_until().is_some(), "without a lease it would be there for ever");
    Ok(())
}

async fn a_pool_whose_last_unready_appliance_is_killed_is_ready_at_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    let mut claimed = worker.claim().await?;
    let slow = claimed.pop().unwrap();
    worker.finish(key(&claimed[0]), well(StepKind::Clone)).await?;
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Provisioning);
    world.app.kill_appliance(&world.user, slow.appliance.clone().unwrap().id).await?;
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.state, view.ready_count()), (PoolState::Ready, 1));
    assert!(view.leased_until().is_some());
    assert!(worker.finish(key(&slow), badly(StepErrorReason::Cancelled)).await?);
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ready, "what is left of it stays");
    Ok(())
}

/// On PostgreSQL: whoever gives up kills the siblings, whose tasks are with others who want the pool.
async fn many_deployments_that_fail_at_once_do_not_block_each_other(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(12, HOUR).await?;
    let claimed = worker.claim().await?;
    assert_eq!(claimed.len(), 12);
    let all = claimed.iter().map(|assignment| worker.finish(key(assignment), badly(StepErrorReason::TemplateNotFound)));
    for finished in timeout(PATIENCE, futures::future::join_all(all)).await? {
        assert!(finished?, "a result that could not be written down at once");
    }
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Failed);
    timeout(PATIENCE, worker.work()).await??;
    assert!(world.pool(pool).await?.appliances.is_empty(), "nothing is left of a pool that failed");
    Ok(())
}

async fn a_pool_killed_while_its_deployments_fail_ends(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    for _ in 0..5 {
        let pool = world.request(4, HOUR).await?;
        let claimed = worker.claim().await?;
        let finish = async {
            for assignment in &claimed {
                // Nobody's fault: neither template nor provider is given up for it.
                worker.finish(key(assignment), badly(StepErrorReason::NameTaken)).await?;
            }
            anyhow::Ok(())
        };
        let (killed, finished) = tokio::join!(world.app.kill_pool(&world.user, pool), finish);
        killed?;
        finished?;
        worker.work().await?;
        let view = world.pool(pool).await?;
        // Whether it is killed first, or has failed too often first.
        assert!(view.pool.state.is_final() && view.appliances.is_empty(), "{:?}", view.pool.state);
    }
    Ok(())
}
