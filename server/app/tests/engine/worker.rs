//! Workers that come, go, and come back while something is given to them.

use std::time::Duration;

use sprout_app::ports::{EventFilter, Heard, Store as _};
use sprout_domain::{event::EventKind, pool::PoolState, workflow::StepKind};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::{Instant, sleep};

use crate::world::{PATIENCE, World, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    nothing_is_given_to_a_session_that_was_replaced,
    what_is_given_out_while_the_worker_comes_back_is_not_lost,
    a_worker_goes_on_with_what_it_runs_and_the_rest_is_given_out_again,
    a_cancelled_task_of_a_worker_that_never_answers_ends_with_the_worker,
    who_lost_its_tasks_is_not_told_that_it_was_heard,
    after_an_outage_silence_of_steps_proves_nothing,
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

/// Its server was stopped, and goes on when another one has given its tasks away: whatever it says in that session must not renew its lease.
async fn who_lost_its_tasks_is_not_told_that_it_was_heard(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.request(1, HOUR).await?;
    let lost = worker.claim().await?.remove(0);
    let heard = [Heard { worker: worker.id.clone(), session: worker.session.clone(), ago: Duration::ZERO }];
    assert_eq!(world.app.note(&heard, &[]).await?, std::slice::from_ref(&worker.id));
    let end = Instant::now() + PATIENCE;
    while !world.app.current_tasks(&[key(&lost)]).await?.is_empty() {
        assert!(Instant::now() < end, "it was never silent for too long");
        world.app.release_silent().await?;
        sleep(Duration::from_millis(500)).await;
    }
    assert!(world.app.note(&heard, &[]).await?.is_empty(), "what it runs is someone else's");
    assert!(!world.app.worker(&worker.id).await?.connected);
    let filter = EventFilter { kinds: vec![EventKind::WorkerState], ..EventFilter::default() };
    let told = world.database.store().read().await?.events_after(0, &filter, 9).await?;
    let told: Vec<_> = told.iter().map(|event| event.fact.state.as_deref().unwrap_or_default()).collect();
    assert_eq!(told, ["connected", "silent"]);
    assert!(worker.claim().await?.is_empty(), "nothing is given to that session");
    let back = world.worker("w", &[key(&lost)]).await?;
    let again = back.claim().await?;
    assert_eq!((again.len(), again[0].task.epoch), (1, 2));
    Ok(())
}

/// Nobody could write down what a healthy step said.
async fn after_an_outage_silence_of_steps_proves_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.app.ping(&"lab".into(), 1).await?;
    let ping = worker.claim().await?.remove(0);
    world.app.stop_stalled().await?;
    sleep(StepKind::Ping.policy().progress_limit + Duration::from_millis(500)).await;
    let next = world.app.stop_stalled().await?;
    assert!(world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?.is_empty(), "it may be about to speak");
    assert!(next.is_some_and(|next| !next.is_zero()), "and it is looked at again, but not all the time: {next:?}");
    assert!(worker.finish(key(&ping), well(StepKind::Ping)).await?);

    world.app.ping(&"lab".into(), 1).await?;
    let silent = worker.claim().await?.remove(0);
    let end = Instant::now() + PATIENCE;
    while world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?.is_empty() {
        assert!(Instant::now() < end, "a step that says nothing goes on for ever");
        world.app.stop_stalled().await?;
        sleep(Duration::from_millis(500)).await;
    }
    assert!(world.app.task(silent.task.id).await?.stalled);
    Ok(())
}
