//! Clients that leave in the middle of a call, hundreds of times, at any moment: what they asked for is done whole or not at all, and all of it goes on.

use std::time::{Duration, Instant};

use sprout_app::{
    TaskKey,
    ports::{Page, PoolFilter, WorkerHello},
};
use sprout_domain::{
    dispatch::FreeWorker,
    pool::PoolState,
    worker::Slots,
    workflow::{StepKind, StepOutput},
};
use sprout_proto::pool::{KillPoolRequest, RequestPoolRequest};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::support::{Served, patiently, wanted};

on_each_database!(calls_that_are_given_up_at_any_moment_are_done_or_not);

const CALLERS: u64 = 4;
const CALLS: u64 = 30;

/// Makes a call, and leaves after this time, to the microsecond.
async fn leave_after<T: Send + 'static>(time: Duration, call: impl Future<Output = T> + Send + 'static) {
    let (left, task) = (Instant::now() + time, tokio::spawn(call));
    while Instant::now() < left && !task.is_finished() {
        tokio::task::yield_now().await;
    }
    task.abort();
}

/// How long a caller has patience: mostly for some part of the call, and now and then for all of it, however slow this machine is.
fn patience(random: &mut fastrand::Rng) -> Duration {
    if random.u8(..4) == 0 { Duration::from_secs(60) } else { Duration::from_micros(random.u64(0..12_000)) }
}

/// One caller: requests pools and kills them, and leaves most of these calls. Returns the ids of its requests.
async fn call(served: &Served, seed: u64) -> anyhow::Result<Vec<String>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut client = served.pools("ann").await?;
    let mut requested = Vec::new();
    for _ in 0..CALLS {
        let request = RequestPoolRequest { count: 2, ..wanted() };
        requested.push(request.request_id.clone());
        let mut leaving = client.clone();
        let asked = request.clone();
        leave_after(patience(&mut random), async move { leaving.request_pool(asked).await.is_ok() }).await;
        if random.bool() {
            // Asked again, it is that one.
            let pool = client.request_pool(request).await?.into_inner().pool.unwrap_or_default();
            let mut leaving = client.clone();
            leave_after(patience(&mut random), async move {
                leaving.kill_pool(KillPoolRequest { id: pool.id }).await.is_ok()
            })
            .await;
        }
    }
    Ok(requested)
}

/// Does all that waits, as a worker whose steps go well.
async fn work(served: &Served) -> anyhow::Result<()> {
    let slots = Slots { shared: 1_000, ..Slots::default() };
    let drivers = vec!["container".to_owned()];
    let hello = WorkerHello {
        id: "w".into(),
        version: "1".to_owned(),
        drivers: drivers.clone(),
        slots: slots.clone(),
        labels: std::collections::BTreeMap::new(),
        leaving: false,
    };
    served.app.worker_connected(&hello, "s", &[]).await?;
    let free = [FreeWorker { id: "w".into(), session: "s".to_owned(), drivers, room: slots }];
    loop {
        let placed = served.app.place_waiting().await?;
        let given = served.app.claim_tasks(&free).await?;
        if given.is_empty() && placed == sprout_app::Placed::All {
            return Ok(());
        }
        let well = |step| match step {
            StepKind::WaitAddress => StepOutput::Observed {
                provider_ref: "ref".to_owned(),
                power: sprout_domain::appliance::PowerState::On,
                address: Some("192.0.2.1".to_owned()),
                endpoints: Vec::new(),
                console_url: None,
            },
            _ => StepOutput::Empty,
        };
        let results = given.iter().map(|given| {
            let task = &given.task;
            ("w".into(), TaskKey { id: task.id, epoch: task.epoch }, Ok(well(task.step)))
        });
        served.app.finish_tasks(&results.collect::<Vec<_>>()).await?;
    }
}

async fn calls_that_are_given_up_at_any_moment_are_done_or_not(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let callers = (0..CALLERS).map(|seed| Box::pin(call(&served, seed)));
    let requested: Vec<_> = futures::future::try_join_all(callers).await?.concat();
    served.database.settled().await?;
    let ann = served.user("ann").await?;
    let all = async || served.app.pools(&ann, PoolFilter::default(), Page { before: None, limit: 10_000 }).await;
    for view in all().await? {
        assert!(requested.contains(&view.pool.request_id));
        let there = view.appliances.iter().filter(|appliance| appliance.state.counts()).count();
        let wanted = if view.pool.state < PoolState::Ending { 2 } else { 0 };
        assert_eq!(there + view.pool.waiting_count as usize, wanted, "half done: {view:?}");
    }
    // Nothing waits although it could go on.
    patiently(Box::pin(work(&served))).await??;
    let ended = all().await?;
    for view in &ended {
        assert!(matches!(view.pool.state, PoolState::Ready | PoolState::Ended), "{view:?}");
    }
    let killed = ended.iter().filter(|view| view.pool.state == PoolState::Ended).count();
    assert!(killed > 0 && killed < ended.len(), "of {} pools {killed} were killed", ended.len());
    Ok(())
}
