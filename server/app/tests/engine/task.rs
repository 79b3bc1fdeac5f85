//! Results and cancellations that come twice, late, or in the wrong order.

use std::time::Duration;

use sprout_domain::{
    appliance::ApplianceState,
    pool::PoolState,
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_result_counts_once,
    a_step_that_goes_well_after_its_cancellation_is_cleaned_up,
    killing_twice_and_while_killing_is_killing_once,
);

async fn a_result_counts_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, other) = (world.worker("w", &[]).await?, world.worker("other", &[]).await?);
    world.request(1, HOUR).await?;
    let task = key(&worker.claim().await?[0]);
    assert!(!other.finish(task, well(StepKind::Clone)).await?, "it is not theirs");
    let (one, two) =
        tokio::join!(worker.finish(task, well(StepKind::Clone)), worker.finish(task, well(StepKind::Clone)));
    assert!(one? != two?, "the same result at the same time");
    assert!(!worker.finish(task, badly(StepErrorReason::ProviderError)).await?, "late, and another");
    assert_eq!(worker.claim().await?.len(), 1, "the next step, once");
    Ok(())
}

async fn a_step_that_goes_well_after_its_cancellation_is_cleaned_up(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let clone = key(&worker.claim().await?[0]);
    world.app.kill_pool(&world.user, pool).await?;
    assert_eq!(world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?, [(worker.id.clone(), clone)]);
    assert!(worker.claim().await?.is_empty(), "what may still create it must end first");
    assert!(worker.finish(clone, well(StepKind::Clone)).await?);
    assert!(!worker.finish(clone, badly(StepErrorReason::Cancelled)).await?, "the answer to the late cancellation");
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}

async fn killing_twice_and_while_killing_is_killing_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    worker.work().await?;
    let one = world.pool(pool).await?.appliances[0].id;
    let (pooled, single) =
        tokio::join!(world.app.kill_pool(&world.user, pool), world.app.kill_appliance(&world.user, one));
    pooled?;
    single?;
    world.app.kill_pool(&world.user, pool).await?;
    let view = world.pool(pool).await?;
    assert!(view.appliances.iter().all(|a| a.state == ApplianceState::Killing));
    assert_eq!(worker.work().await?.len(), 6, "three steps for each of two");
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}
