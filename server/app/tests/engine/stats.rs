//! Numbers over time: each event is counted once, whoever counts, and where nothing happens nothing is written.

use std::time::Duration;

use sprout_app::{App, Placed, ports::Store as _};
use sprout_domain::{
    Timestamp,
    appliance::ApplianceState,
    event::{EventKind, NewEvent},
    stats::{self, Flows, Sample, Waits},
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

on_each_database!(
    each_event_is_counted_once_and_idle_minutes_cost_nothing,
    what_was_missed_is_made_up_for_and_how_things_stood_is_not,
    old_samples_become_fewer_and_tell_the_same,
);

const HOUR: Duration = Duration::from_secs(3600);

async fn samples(world: &World) -> anyhow::Result<Vec<Sample>> {
    let mut tx = world.database.store().read().await?;
    Ok(tx.samples(Timestamp::UNIX_EPOCH, tx.now() + HOUR).await?)
}

fn summed(samples: &[Sample]) -> Flows {
    let mut sum = Flows::default();
    for sample in samples {
        sum.add(&sample.flows);
    }
    sum
}

async fn sample_all(app: &App) -> anyhow::Result<()> {
    while app.sample().await?.more {}
    Ok(())
}

async fn each_event_is_counted_once_and_idle_minutes_cost_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_providers(db, &[("lab", 2)]).await?;
    let (app, other) = (&world.app, world.another_server().await?);
    world.warm(3).await?;
    world.request(1, HOUR).await?;
    sample_all(app).await?;
    let first = samples(&world).await?;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].flows, Flows::default(), "what was before anybody looked is not made up for");
    let levels = first[0].levels.clone().unwrap();
    assert_eq!((levels.appliances[&ApplianceState::Ready], levels.warm, levels.waiting_pools), (3, 2, 0));

    // One pool is served at once, one gets a warm appliance and fails with another, and one waits for room.
    world.request(1, HOUR).await?;
    world.request(2, HOUR).await?;
    let waiting = world.request(4, HOUR).await?;
    let worker = world.worker("w1", &[]).await?;
    let mut claimed = worker.claim().await?;
    let failing = claimed.remove(0);
    assert_eq!(failing.task.step, StepKind::Clone);
    assert!(worker.finish(key(&failing), badly(StepErrorReason::Invalid)).await?);
    let counts = tokio::try_join!(app.sample(), other.sample())?;
    assert!(counts.0.events.max(counts.1.events) > 0);
    let levels = samples(&world).await?.pop().unwrap().levels.unwrap();
    assert!(levels.waiting_seats > 0, "{levels:?}");
    assert_eq!((levels.workers, levels.slots, levels.warm), (1, 100, 0));
    assert!(levels.running_tasks >= 1);
    for other in claimed {
        assert!(worker.finish(key(&other), well(other.task.step)).await?);
    }
    // Until there is nothing left to do, nor room for anybody.
    while app.place_waiting().await? == Placed::More || !worker.work().await?.is_empty() {}
    sample_all(app).await?;
    sample_all(&other).await?;

    let rows = samples(&world).await?;
    let sum = summed(&rows);
    assert_eq!(
        (sum.pools_requested, sum.pools_failed, sum.appliances_failed, sum.workflows_failed),
        (3, 1, 1, 1),
        "{sum:?}"
    );
    assert_eq!(sum.tasks_failed, 1, "{sum:?}");
    let ready = world.pool(waiting).await?.pool;
    let took = u128::try_from((ready.fulfilled_at.unwrap() - ready.created_at).num_milliseconds())?;
    assert!(sum.waits.longest.as_millis().abs_diff(took) <= 1, "{:?} {took}", sum.waits);
    assert_eq!((sum.waits.count(), sum.granted_warm, sum.deployed), (2, 1, 4), "{sum:?}");
    assert!(sum.tasks_done >= 6);
    let levels = rows.last().unwrap().levels.clone().unwrap();
    assert_eq!((levels.waiting_pools, levels.running_tasks), (0, 0));

    // Idle: nothing is counted, and nothing written.
    world.database.settled().await?;
    let changes = world.database.changes().await?;
    let before = changes.look().await?;
    assert_eq!(app.sample().await?.events + app.thin_samples().await?, 0);
    assert_eq!(changes.look().await?, before);
    assert_eq!(samples(&world).await?, rows);
    Ok(())
}

async fn what_was_missed_is_made_up_for_and_how_things_stood_is_not(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    sample_all(&world.app).await?;
    let minute = stats::MINUTE;
    let mut tx = world.database.store().write().await?;
    let now = tx.now();
    // Somebody looked ten minutes ago, and nobody since; something happened eight minutes ago, and a minute later something else.
    let last = samples(&world).await?.remove(0);
    let then = stats::minute_of(now) - minute * 10;
    let kept = Sample { at: then, sequence: tx.last_sequence().await?, ..last.clone() };
    tx.replace_samples(&[last.at], &[kept]).await?;
    let event = |kind| NewEvent::new(kind, "as the test wants");
    tx.append_events(vec![event(EventKind::StepDone), event(EventKind::StepDone), event(EventKind::StepFailed)])
        .await?;
    let sequence = tx.last_sequence().await?;
    tx.commit().await?;
    let moment = |at: Timestamp| at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
    for (event, at) in [(sequence - 2, then + minute), (sequence - 1, then + minute), (sequence, then + minute * 2)] {
        let at = moment(at + Duration::from_secs(30));
        world.database.execute(&format!("update events set happened_at = '{at}' where sequence = {event}")).await?;
    }
    // Until it is made up for, what is not counted is not known.
    let admin = |points: &[stats::Point]| {
        points.iter().map(|point| point.flows.map(|flows| flows.tasks_done)).collect::<Vec<_>>()
    };
    let span = || world.app.stats(Some(then), Some(then + minute * 5), Some(minute));
    assert_eq!(admin(&span().await?.1), [Some(0), None, None, None, None]);
    sample_all(&world.app).await?;
    let points = span().await?.1;
    assert_eq!(admin(&points), [Some(0), Some(2), Some(0), Some(0), Some(0)]);
    assert_eq!(
        points.iter().map(|point| point.levels.is_some()).collect::<Vec<_>>(),
        [true, false, false, false, false]
    );
    assert_eq!(points[2].flows.unwrap().tasks_failed, 1);
    let newest = samples(&world).await?.pop().unwrap();
    assert!(newest.levels.is_some() && newest.sequence >= sequence, "{newest:?}");
    Ok(())
}

async fn old_samples_become_fewer_and_tell_the_same(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    sample_all(&world.app).await?;
    let mut tx = world.database.store().write().await?;
    let newest = tx.last_sample(None).await?.unwrap();
    let day = Duration::from_secs(86_400);
    let hour = stats::minute_of(tx.now());
    let hour = hour - Duration::from_secs(hour.timestamp().unsigned_abs() % 3600);
    let flows = Flows { tasks_done: 1, waits: Waits::of(HOUR, 2), ..Flows::default() };
    let row = |at, width| Sample { at, width, sequence: 0, flows, ..newest.clone() };
    // Two hours of minutes of three days ago, a day of ten minutes of forty days ago, and an hour of long ago.
    let minutes = (1..=120).map(|n| row(hour - day * 3 + stats::MINUTE * n, stats::MINUTE));
    let tens = (1..=144).map(|n| row(hour - day * 40 + stats::TEN_MINUTES * n, stats::TEN_MINUTES));
    let old: Vec<_> = minutes.chain(tens).chain([row(hour - day * 400, stats::HOUR)]).collect();
    tx.replace_samples(&[], &old).await?;
    tx.commit().await?;
    let mut gone = 0;
    loop {
        match world.app.thin_samples().await? {
            0 => break,
            more => gone += more,
        }
    }
    assert_eq!(gone, 120 + 144 + 1);
    let rows = samples(&world).await?;
    let of = |width| rows.iter().filter(|row| row.width == width).count();
    assert_eq!([of(stats::MINUTE), of(stats::TEN_MINUTES), of(stats::HOUR)], [1, 12, 24]);
    let sum = summed(&rows);
    assert_eq!((sum.tasks_done, sum.waits.count(), sum.waits.longest), (264, 528, HOUR));
    assert_eq!(rows.last(), Some(&newest), "from the last one the next goes on");
    assert!(rows.iter().all(|row| row.levels == newest.levels));
    Ok(())
}
