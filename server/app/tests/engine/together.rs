//! Everything at once: requests, claims, results, kills, leases and releases on the same rows, which must neither stand in each other's way for
//! long nor fail for those who called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sprout_app::{
    Finished,
    ports::{Page, PoolFilter},
};
use sprout_domain::{Result, pool::PoolState, workflow::StepErrorReason};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{PATIENCE, Worker, World, badly, key, well};

on_each_database!(nobody_is_refused_because_others_do_something_else,);

/// Takes and ends steps, some of them badly, until it is told that nothing more comes.
async fn serve(worker: Worker, over: Arc<AtomicU32>) -> Result<()> {
    while over.load(Ordering::SeqCst) > 0 {
        let claimed = worker.claim().await?;
        let outcome = |given: &sprout_app::Assignment| match fastrand::u32(..20) {
            // By nobody's fault: a template that is blamed often enough is not used for a while, and requests are refused.
            0 => badly(StepErrorReason::Unsupported),
            1 => badly(StepErrorReason::Cancelled),
            _ => well(given.task.step),
        };
        let results: Vec<Finished> =
            claimed.iter().map(|given| (worker.id.clone(), key(given), outcome(given))).collect();
        worker.app.finish_tasks(&results).await?;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

async fn nobody_is_refused_because_others_do_something_else(db: TestDatabase) -> anyhow::Result<()> {
    let world = Arc::new(World::new(db).await?);
    let users = Arc::new(AtomicU32::new(8));
    let mut tasks = tokio::task::JoinSet::new();
    for id in ["a", "b", "c"] {
        let worker = world.worker(id, &[]).await?;
        tasks.spawn(serve(worker, users.clone()));
    }
    for _ in 0..8 {
        let (world, users) = (world.clone(), users.clone());
        tasks.spawn(async move {
            let end = Instant::now() + Duration::from_secs(3);
            while Instant::now() < end {
                let pool = world.request(40, Duration::from_secs(60)).await?;
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..60))).await;
                if fastrand::bool() {
                    let view = world.pool(pool).await?;
                    let first = view.appliances.first().map(|appliance| appliance.id);
                    if let Some(id) = first {
                        world.app.kill_appliance(&world.user, id).await?;
                    }
                }
                world.app.kill_pool(&world.user, pool).await?;
            }
            users.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let rest = world.worker("rest", &[]).await?;
    for id in ["a", "b", "c"] {
        world.app.remove_worker(&id.into()).await?;
    }
    let patience = Instant::now() + PATIENCE;
    while world.app.next_task_due().await?.is_some() && Instant::now() < patience {
        rest.work().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rest.work().await?;
    let pools = world.app.pools(&world.user, PoolFilter::default(), Page { before: None, limit: 9999 }).await?;
    for view in &pools {
        assert!(matches!(view.pool.state, PoolState::Ended | PoolState::Failed), "{:?}", view.pool);
    }
    Ok(())
}
