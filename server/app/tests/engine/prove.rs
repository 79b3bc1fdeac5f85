//! Proofs that are renewed before a warm appliance is handed out.

use std::time::Duration;

use sprout_domain::{
    PoolId,
    appliance::ApplianceState,
    group::Group,
    pool::PoolState,
    workflow::{StepErrorReason, StepKind, WorkflowKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

on_each_database!(
    an_old_proof_is_renewed_before_the_pool_is_ready,
    one_that_does_not_prove_it_is_replaced_by_another_warm_one,
    without_another_warm_one_a_new_one_is_deployed,
    a_pool_that_is_killed_meanwhile_leaves_nothing,
);

const HOUR: Duration = Duration::from_secs(3600);

/// Proofs are good for next to no time.
async fn doubtful(db: TestDatabase, warm: usize) -> anyhow::Result<World> {
    let world = World::new(db).await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    let hurry = |group: &mut Group| group.proof_limit = Duration::from_micros(1);
    catalogue.groups.values_mut().for_each(hurry);
    world.app.set_catalogue(catalogue).await?;
    world.warm(warm).await?;
    tokio::time::sleep(Duration::from_millis(2)).await; // proofs get old by time alone
    Ok(world)
}

async fn told(world: &World, pool: PoolId) -> anyhow::Result<(PoolState, Vec<String>, u32)> {
    let view = world.pool(pool).await?;
    let mut appliances: Vec<_> = view.appliances.iter().map(|a| format!("{} {}", a.name, a.state)).collect();
    appliances.sort_unstable();
    Ok((view.pool.state, appliances, view.pool.failure_count))
}

async fn an_old_proof_is_renewed_before_the_pool_is_ready(db: TestDatabase) -> anyhow::Result<()> {
    let world = doubtful(db, 2).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    assert_eq!(told(&world, pool).await?, (PoolState::Provisioning, vec!["warm-0 preparing".to_owned()], 0));
    let before = world.pool(pool).await?.appliances[0].proven_at;
    let claimed = worker.claim().await?;
    assert_eq!((claimed[0].task.workflow, claimed[0].task.step), (WorkflowKind::Prove, StepKind::WaitReady));
    assert!(worker.finish(key(&claimed[0]), well(StepKind::WaitReady)).await?);
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.state, view.appliances[0].state), (PoolState::Ready, ApplianceState::Ready));
    assert!(view.leased_until().is_some() && view.appliances[0].proven_at > before);
    Ok(())
}

async fn one_that_does_not_prove_it_is_replaced_by_another_warm_one(db: TestDatabase) -> anyhow::Result<()> {
    let world = doubtful(db, 2).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let claimed = worker.claim().await?;
    assert!(worker.finish(key(&claimed[0]), badly(StepErrorReason::Deadline)).await?);
    world.app.place_waiting().await?;
    let both = vec!["warm-0 killing".to_owned(), "warm-1 preparing".to_owned()];
    assert_eq!(told(&world, pool).await?, (PoolState::Provisioning, both, 0));
    worker.work().await?;
    assert_eq!(told(&world, pool).await?, (PoolState::Ready, vec!["warm-1 ready".to_owned()], 0));
    Ok(())
}

async fn without_another_warm_one_a_new_one_is_deployed(db: TestDatabase) -> anyhow::Result<()> {
    let world = doubtful(db, 1).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let claimed = worker.claim().await?;
    assert!(worker.finish(key(&claimed[0]), badly(StepErrorReason::Deadline)).await?);
    world.app.place_waiting().await?;
    let steps = worker.work().await?;
    assert!(steps.contains(&StepKind::Clone), "{steps:?}");
    let (state, appliances, failures) = told(&world, pool).await?;
    assert_eq!((state, appliances.len(), failures), (PoolState::Ready, 1, 0));
    assert!(appliances[0].ends_with(" ready") && !appliances[0].starts_with("warm"), "{appliances:?}");
    Ok(())
}

async fn a_pool_that_is_killed_meanwhile_leaves_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = doubtful(db, 1).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let claimed = worker.claim().await?;
    world.app.kill_pool(&world.user, pool).await?;
    assert!(worker.finish(key(&claimed[0]), badly(StepErrorReason::Cancelled)).await?);
    worker.work().await?;
    assert_eq!(told(&world, pool).await?, (PoolState::Ended, vec![], 0));
    Ok(())
}
