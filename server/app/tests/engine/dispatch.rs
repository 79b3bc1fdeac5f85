//! Many workers and many results at once, workers that are drained or removed, and steps that do not stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sprout_app::{
    Finished, LEASE,
    ports::{ApplianceBy, EventFilter, Store as _},
};
use sprout_domain::{
    Reason,
    appliance::ApplianceState,
    event::EventKind,
    pool::PoolState,
    worker::Slots,
    workflow::{Lane, StepError, StepErrorReason, StepKind, TaskState, WorkflowKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    tasks_are_spread_over_all_workers_in_one_claim,
    kills_run_though_all_shared_slots_are_taken,
    results_that_come_together_count_as_one_by_one,
    a_drained_worker_is_given_nothing_and_a_removed_one_loses_its_tasks,
    a_stopped_task_is_tried_again_as_a_failed_try,
    a_step_that_does_not_answer_is_taken_from_its_worker,
    what_cannot_be_stopped_or_retried_says_so,
    a_result_that_cannot_be_written_down_keeps_no_other_waiting,
    what_a_worker_was_never_told_of_is_given_out_again,
    the_next_step_is_given_to_whoever_ended_the_one_before,
    what_follows_waits_where_its_worker_takes_nothing,
);

async fn tasks_are_spread_over_all_workers_in_one_claim(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let workers = [world.worker("a", &[]).await?, world.worker("b", &[]).await?, world.worker("c", &[]).await?];
    world.request(30, HOUR).await?;
    let free: Vec<_> = workers.iter().map(crate::world::Worker::free).collect();
    let mut count: BTreeMap<_, u32> = BTreeMap::new();
    for assignment in world.app.claim_tasks(&free).await? {
        *count.entry(assignment.task.worker.unwrap().0).or_default() += 1;
    }
    assert_eq!(count, [("a", 10), ("b", 10), ("c", 10)].map(|(id, n)| (id.to_owned(), n)).into());
    Ok(())
}

/// A provider hangs: everything that workers have room for is a step on it that does not end.
async fn kills_run_though_all_shared_slots_are_taken(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut worker = world.worker("w", &[]).await?;
    let old = world.request(2, HOUR).await?;
    worker.work().await?;
    world.request(5, HOUR).await?;
    worker.slots = Slots { shared: 3, lanes: [(Lane::Kill, 1)].into() };
    let hung = worker.claim().await?;
    assert_eq!(hung.iter().map(|given| given.task.lane).collect::<Vec<_>>(), [Lane::Provision; 3]);
    worker.slots = worker.slots.left(hung.iter().map(|given| given.task.lane));
    assert!(worker.claim().await?.is_empty());
    world.app.kill_pool(&world.user, old).await?;
    assert_eq!(worker.work().await?.len(), 6, "both are killed, in the room that killing has");
    assert_eq!(world.pool(old).await?.pool.state, PoolState::Ended);
    Ok(())
}

async fn results_that_come_together_count_as_one_by_one(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, other) = (world.worker("w", &[]).await?, world.worker("other", &[]).await?);
    let pools = [world.request(3, HOUR).await?, world.request(2, HOUR).await?, world.request(1, HOUR).await?];
    let mut failures = 1;
    loop {
        let claimed = worker.claim().await?;
        if claimed.is_empty() {
            break;
        }
        let mut results: Vec<Finished> = Vec::new();
        let mut expected = Vec::new();
        for given in &claimed {
            let task = key(given);
            results.push((other.id.clone(), task, well(given.task.step))); // not its
            let fails = given.task.step == StepKind::Start && std::mem::take(&mut failures) > 0;
            let outcome = if fails { badly(StepErrorReason::Cancelled) } else { well(given.task.step) };
            results.push((worker.id.clone(), task, outcome));
            results.push((worker.id.clone(), task, well(given.task.step))); // said twice
            expected.push((fails, results.len()));
        }
        let accepted = world.app.finish_tasks(&results).await?;
        for (fails, end) in expected {
            // Whichever of two is first counts, and the other does not.
            let mine = &accepted[end - 3..end];
            assert!(!mine[0] && mine.iter().filter(|accepted| **accepted).count() == 1, "{mine:?} {fails}");
        }
    }
    for pool in pools {
        let view = world.pool(pool).await?;
        assert_eq!((view.pool.state, view.ready_count()), (PoolState::Ready, view.pool.count));
        assert!(view.leased_until().is_some() && view.appliances.iter().all(|a| a.address.is_some()));
        world.app.kill_pool(&world.user, pool).await?;
    }
    loop {
        let claimed = worker.claim().await?;
        if claimed.is_empty() {
            break;
        }
        let results: Vec<Finished> =
            claimed.iter().map(|given| (worker.id.clone(), key(given), well(given.task.step))).collect();
        assert!(world.app.finish_tasks(&results).await?.into_iter().all(|accepted| accepted));
    }
    for pool in pools {
        assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    }
    Ok(())
}

async fn a_drained_worker_is_given_nothing_and_a_removed_one_loses_its_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, other) = (world.worker("w", &[]).await?, world.worker("other", &[]).await?);
    world.request(2, HOUR).await?;
    assert!(world.app.drain_worker(&worker.id).await?.drained);
    assert!(worker.claim().await?.is_empty());
    assert!(!world.app.undrain_worker(&worker.id).await?.drained);
    let lost = worker.claim().await?;
    assert_eq!(lost.len(), 2);
    world.app.remove_worker(&worker.id).await?;
    assert_eq!(world.app.worker(&worker.id).await.unwrap_err().reason, Reason::WorkerNotFound);
    assert_eq!(world.app.remove_worker(&worker.id).await.unwrap_err().reason, Reason::WorkerNotFound);
    assert!(!worker.finish(key(&lost[0]), well(StepKind::Clone)).await?, "it is someone else's");
    let again = other.claim().await?;
    assert_eq!(again.iter().map(|given| (given.task.epoch, given.task.attempt)).collect::<Vec<_>>(), [(2, 1); 2]);
    // What became of workers is told, and only that.
    for _ in 0..2 {
        world.app.drain_worker(&other.id).await?;
        world.app.worker_leaving(&other.id, &other.session).await?;
        world.app.worker_disconnected(&other.id, &other.session).await?;
    }
    let filter = EventFilter { kinds: vec![EventKind::WorkerState], ..EventFilter::default() };
    let told = world.database.store().read().await?.events_after(0, &filter, 99).await?;
    let told = told.into_iter().map(|event| {
        let (worker, state) = (event.fact.worker.map(|id| id.0), event.fact.state);
        format!("{} {}", worker.unwrap_or_default(), state.unwrap_or_default())
    });
    let expected = [
        "w connected",
        "other connected",
        "w drained",
        "w undrained",
        "w removed",
        "other drained",
        "other leaving",
        "other disconnected",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    Ok(())
}

async fn a_stopped_task_is_tried_again_as_a_failed_try(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    let claimed = worker.claim().await?;
    for given in &claimed {
        assert!(world.app.cancel_task(given.task.id).await?.stalled);
    }
    let told = world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?;
    assert_eq!(told.len(), 2);
    // One stops, the other ends well before it hears of it.
    assert!(worker.finish(key(&claimed[0]), badly(StepErrorReason::Cancelled)).await?);
    assert!(world.app.finish_tasks(&[(worker.id.clone(), key(&claimed[1]), well(StepKind::Clone))]).await?[0]);
    let retried = world.app.retry_task(claimed[0].task.id).await?;
    assert_eq!((retried.state, retried.attempt, &*retried.error), (TaskState::Retrying, 1, "stopped by request"));
    let again = worker.claim().await?;
    assert_eq!(
        again.iter().map(|given| given.task.attempt).collect::<Vec<_>>(),
        [2, 1],
        "a clone again, and the next step"
    );
    assert!(again.iter().all(|given| !given.task.stalled));
    for given in again {
        worker.finish(key(&given), well(given.task.step)).await?;
    }
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.ready_count(), 2);
    Ok(())
}

async fn a_step_that_does_not_answer_is_taken_from_its_worker(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("stuck", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    let claimed = worker.claim().await?;
    world.app.cancel_task(claimed[0].task.id).await?; // as one that says nothing
    world.app.kill_appliance(&world.user, claimed[1].appliance.clone().unwrap().id).await?;
    let wait = world.app.stop_stalled().await?.unwrap();
    assert!(wait > Duration::from_secs(8) && wait <= LEASE, "it has its time to answer: {wait:?}");
    assert_eq!(world.app.current_tasks(&[key(&claimed[0]), key(&claimed[1])]).await?.len(), 2);
    tokio::time::sleep(wait).await;
    // The second was told a moment later than the first.
    let wait = world.app.stop_stalled().await?.unwrap_or_default();
    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
    world.app.stop_stalled().await?;
    assert!(world.app.current_tasks(&[key(&claimed[0]), key(&claimed[1])]).await?.is_empty());
    assert!(!worker.finish(key(&claimed[0]), well(StepKind::Clone)).await?, "late");
    let other = world.worker("other", &[]).await?;
    world.app.retry_task(claimed[0].task.id).await?;
    let kinds: Vec<_> = other.claim().await?.iter().map(|given| (given.task.step, given.task.attempt)).collect();
    assert_eq!(kinds, [(StepKind::Stop, 1), (StepKind::Clone, 2)], "the kill begins, and the clone is tried again");
    let states: Vec<_> = world.pool(pool).await?.appliances.iter().map(|appliance| appliance.state).collect();
    assert_eq!(states, [ApplianceState::Cloning, ApplianceState::Killing]);
    Ok(())
}

async fn what_cannot_be_stopped_or_retried_says_so(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.request(1, HOUR).await?;
    let given = worker.claim().await?.remove(0);
    assert_eq!(world.app.retry_task(given.task.id).await.unwrap_err().reason, Reason::TaskNotRetrying);
    worker.finish(key(&given), well(StepKind::Clone)).await?;
    assert_eq!(world.app.cancel_task(given.task.id).await.unwrap_err().reason, Reason::TaskNotRunning);
    let unknown = sprout_domain::TaskId(999_999);
    assert_eq!(world.app.cancel_task(unknown).await.unwrap_err().reason, Reason::TaskNotFound);
    Ok(())
}

/// PostgreSQL takes no NUL in a text.
async fn a_result_that_cannot_be_written_down_keeps_no_other_waiting(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.request(3, HOUR).await?;
    let claimed = worker.claim().await?;
    let bad = StepError { reason: StepErrorReason::ProviderError, message: "what the provider says:\0".to_owned() };
    let outcomes = [well(StepKind::Clone), Err(bad), badly(StepErrorReason::ProviderError)];
    let results: Vec<Finished> =
        claimed.iter().zip(outcomes).map(|(given, outcome)| (worker.id.clone(), key(given), outcome)).collect();
    assert_eq!(world.app.finish_tasks(&results).await?, [true; 3]);
    let mut states = Vec::new();
    for given in &claimed {
        states.push(world.app.task(given.task.id).await?.state);
    }
    assert_eq!(states, [TaskState::Done, TaskState::Retrying, TaskState::Retrying]);
    Ok(())
}

/// The commit that gave it out went through, and its server was told that it did not.
async fn what_a_worker_was_never_told_of_is_given_out_again(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    world.request(2, HOUR).await?;
    let given = worker.claim().await?;
    let held = [key(&given[0])].into();
    world.app.release_unheld(&worker.id, &worker.session, &held).await?;
    assert!(worker.claim().await?.is_empty(), "it may be on its way");
    tokio::time::sleep(LEASE + Duration::from_millis(200)).await;
    world.app.release_unheld(&worker.id, "another session", &held).await?;
    assert!(worker.claim().await?.is_empty(), "that session knows nothing of it");
    assert_eq!(world.app.running_counts().await?.get(&worker.id), Some(&2));
    world.app.release_unheld(&worker.id, &worker.session, &held).await?;
    let again = worker.claim().await?;
    assert_eq!((again.len(), again[0].task.id, again[0].task.epoch), (1, given[1].task.id, 2));
    Ok(())
}

/// As if it had been claimed: with the same fence, the same appliance, and events that say so.
async fn the_next_step_is_given_to_whoever_ended_the_one_before(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    let mut events =
        world.app.events(&world.user, EventFilter { pool_id: Some(pool), ..EventFilter::default() }, Some(0)).await?;
    let mut given = worker.claim().await?;
    let mut steps = Vec::new();
    while !given.is_empty() {
        let results: Vec<Finished> =
            given.iter().map(|given| (worker.id.clone(), key(given), well(given.task.step))).collect();
        let through = vec![Some(worker.session.clone()); results.len()];
        let written = world.app.finish_and_go_on(&results, &through).await?;
        assert!(written.iter().all(|written| written.accepted));
        assert!(worker.claim().await?.is_empty(), "nothing waits in the queue");
        steps.push(given[0].task.step);
        for (before, next) in given.iter().zip(&written) {
            let Some(next) = &next.next else { continue };
            assert_eq!(next.task.workflow_id, before.task.workflow_id);
            assert_eq!((next.task.epoch, next.task.attempt, next.task.state), (1, 1, TaskState::Running));
            let read =
                world.app.appliance(&world.user, &ApplianceBy::Id(before.appliance.as_ref().unwrap().id)).await?;
            assert_eq!(next.appliance, Some(read), "as it is now");
        }
        given = written.into_iter().filter_map(|written| written.next).collect();
        assert_eq!(world.app.current_tasks(&given.iter().map(key).collect::<Vec<_>>()).await?.len(), given.len());
    }
    assert_eq!(steps, WorkflowKind::Deploy.steps());
    assert_eq!(world.pool(pool).await?.ready_count(), 2);
    let mut told = Vec::new();
    while told.len() < 2 * 2 * steps.len() {
        let happened = events.next().await?.fact;
        if matches!(happened.kind, EventKind::StepStarted | EventKind::StepDone) {
            told.push((happened.appliance_id, happened.kind));
        }
    }
    for one in told.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>() {
        let mine: Vec<_> = told.iter().filter(|(id, _)| *id == one).map(|(_, kind)| *kind).collect();
        assert_eq!(mine, [EventKind::StepStarted, EventKind::StepDone].repeat(steps.len()));
    }
    Ok(())
}

async fn what_follows_waits_where_its_worker_takes_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, other) = (world.worker("w", &[]).await?, world.worker("other", &[]).await?);
    world.request(3, HOUR).await?;
    let given = worker.claim().await?;
    let end = |index: usize, session: Option<&str>| {
        let result = (worker.id.clone(), key(&given[index]), well(given[index].task.step));
        let session = session.map(ToOwned::to_owned);
        let app = world.app.clone();
        async move { Ok::<_, anyhow::Error>(app.finish_and_go_on(&[result], &[session]).await?.remove(0)) }
    };
    // Nobody says that it has room; its session is not this one any more; it is drained.
    for (index, session) in [(0, None), (1, Some("another")), (2, Some(&*worker.session))] {
        if index == 2 {
            world.app.drain_worker(&worker.id).await?;
        }
        let written = end(index, session).await?;
        assert!(written.accepted && written.next.is_none(), "{index}");
        let next = other.claim().await?;
        assert_eq!(next.len(), 1, "{index}");
        assert_eq!((next[0].task.step, next[0].task.epoch), (StepKind::WaitPresent, 1));
        let again = end(index, Some(&other.session)).await?;
        assert!(!again.accepted && again.next.is_none(), "said twice");
    }
    Ok(())
}
