//! Workers that come, go, and come back while something is given to them.

use std::time::Duration;

use sprout_domain::{pool::PoolState, workflow::StepKind};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    nothing_is_given_to_a_session_that_was_replaced,
    what_is_given_out_while_the_worker_comes_back_is_not_lost,
    a_worker_goes_on_with_what_it_runs_and_the_rest_is_given_out_again,
    a_cancelled_task_of_a_worker_that_never_answers_ends_with_the_worker,
);

async fn nothing_is_given_to_a_session_that_was_replaced(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let old = world.worker("w", &[]).await?;
    world.request(1, HOUR).await?;
    let new = world.worker("w", &[]).await?;
    assert!(old.claim().await?.is_empty(), "nobody would ever hear of it");
    assert_eq!(new.claim().await?.len(), 1);
    Ok(())
}

/// What the old session was given while the worker said Hello to the new one is either given back or known to it.
async fn what_is_given_out_while_the_worker_comes_back_is_not_lost(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    for _ in 0..20 {
        let pool = world.request(1, HOUR).await?;
        let old = world.worker("w", &[]).await?;
        let (given, new) = tokio::join!(old.claim(), world.worker("w", &[]));
        given?; // lost on the way
        new?.work().await?;
        assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ready);
    }
    Ok(())
}

async fn a_worker_goes_on_with_what_it_runs_and_the_rest_is_given_out_again(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.request(2, HOUR).await?;
    let claimed = worker.claim().await?;
    let (runs, lost) = (key(&claimed[0]), key(&claimed[1]));
    let back = world.worker("w", &[runs]).await?;
    assert!(!back.finish(lost, well(StepKind::Clone)).await?, "it said that it does not run this");
    let again = back.claim().await?;
    assert_eq!(again.iter().map(|a| (a.task.id, a.task.epoch, a.task.attempt)).collect::<Vec<_>>(), [(lost.id, 2, 1)]);
    assert!(back.finish(runs, well(StepKind::Clone)).await?);
    Ok(())
}

async fn a_cancelled_task_of_a_worker_that_never_answers_ends_with_the_worker(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let silent = world.worker("silent", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    silent.claim().await?;
    world.app.kill_pool(&world.user, pool).await?;
    let other = world.worker("other", &[]).await?;
    assert!(other.claim().await?.is_empty());
    world.worker("silent", &[]).await?; // back without it
    let claimed = other.claim().await?;
    assert_eq!(claimed[0].task.step, StepKind::Stop);
    assert!(claimed[0].appliance.as_ref().unwrap().clone_unconfirmed, "it may still turn up");
    assert!(other.finish(key(&claimed[0]), well(StepKind::Stop)).await?);
    other.work().await?;
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}
