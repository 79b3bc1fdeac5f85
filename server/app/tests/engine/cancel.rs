//! Callers that leave in the middle of a call, at each point at which it waits for something: all of it was done, or nothing, and whoever waits for
//! what was done is woken.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use sprout_app::ports::{Store as _, Topic};
use sprout_domain::{
    PoolId,
    pool::{PoolRequest, PoolState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::timeout;

use crate::world::{PATIENCE, World};

on_each_database!(
    a_kill_that_is_given_up_is_done_or_not,
    a_request_that_is_given_up_is_served_or_not,
    tasks_that_nobody_came_back_for_are_not_lost,
);

const HOUR: Duration = Duration::from_secs(3600);
/// Waits in one call; none has as many.
const MANY: usize = 500;

/// Goes on with a call until it has waited so often, then leaves; returns its answer if it came before.
async fn leave_after<T>(waits: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut waited) = (pin!(call), 0);
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

impl World {
    async fn last_sequence(&self) -> anyhow::Result<i64> {
        Ok(self.database.store().read().await?.last_sequence().await?)
    }

    /// Leaves a call after so many waits. Nothing is left open then, and if it changed something, those who wait for that are woken.
    /// Returns whether the call ended before.
    async fn leave<T>(&self, waits: usize, call: impl Future<Output = T>) -> anyhow::Result<bool> {
        let before = self.last_sequence().await?;
        let mut woken = self.app.bus().subscribe(Topic::Events);
        let ended = leave_after(waits, call).await.is_some();
        self.database.settled().await?;
        if self.last_sequence().await? > before {
            let told = timeout(Duration::from_secs(5), woken.changed()).await;
            anyhow::ensure!(told.is_ok(), "left after {waits} waits, it was committed, and nobody was woken");
        }
        Ok(ended)
    }

    async fn state(&self, id: PoolId) -> anyhow::Result<PoolState> {
        let view = self.pool(id).await?;
        // With its transaction each, they agree.
        let there = u32::try_from(view.appliances.iter().filter(|a| a.state.counts()).count())?;
        let wanted = if view.pool.state < PoolState::Ending { view.pool.count } else { 0 };
        anyhow::ensure!(there + view.pool.waiting_count == wanted, "half done: {view:?}");
        Ok(view.pool.state)
    }
}

async fn a_kill_that_is_given_up_is_done_or_not(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let mut states = Vec::new();
    for waits in 0..MANY {
        let id = world.request(2, HOUR).await?;
        worker.work().await?;
        let ended = world.leave(waits, world.app.kill_pools(&world.user, None)).await?;
        states.push(world.state(id).await?);
        // Whatever became of it, it can be asked for again.
        world.app.kill_pool(&world.user, id).await?;
        worker.work().await?;
        anyhow::ensure!(world.state(id).await? == PoolState::Ended);
        if ended {
            break;
        }
    }
    anyhow::ensure!(states.first() == Some(&PoolState::Ready), "left before it had begun, it was done");
    anyhow::ensure!(states.last() == Some(&PoolState::Ending), "it never ended: {}", states.len());
    Ok(())
}

async fn a_request_that_is_given_up_is_served_or_not(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    for waits in 0..MANY {
        let request = PoolRequest { lease: Some(HOUR), ..PoolRequest::new(format!("r{waits}"), "app", 2) };
        let ended = world.leave(waits, world.app.request_pool(&world.user, request.clone())).await?;
        // Asked again, it is the same one.
        let again = timeout(PATIENCE, world.app.request_pool(&world.user, request)).await??;
        let id = again.view.pool.id;
        world.state(id).await?;
        worker.work().await?;
        anyhow::ensure!(world.state(id).await? == PoolState::Ready);
        world.app.kill_pool(&world.user, id).await?;
        worker.work().await?;
        if ended {
            return Ok(());
        }
    }
    anyhow::bail!("it never ended")
}

/// A server that stops in the midst of giving tasks out, or of taking results.
async fn tasks_that_nobody_came_back_for_are_not_lost(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    for waits in 0..MANY {
        let id = world.request(2, HOUR).await?;
        let worker = world.worker("w", &[]).await?;
        let claimed = world.leave(waits, worker.claim()).await?;
        // It comes back, and says that it runs nothing.
        let worker = world.worker("w", &[]).await?;
        let given = worker.claim().await?;
        anyhow::ensure!(given.len() == 2, "of two tasks {} are given out", given.len());
        let results = given.iter().map(|task| {
            let key = crate::world::key(task);
            (worker.id.clone(), key, crate::world::well(task.task.step))
        });
        let results: Vec<_> = results.collect();
        let finished = world.leave(waits, Box::pin(world.app.finish_tasks(&results))).await?;
        world.app.finish_tasks(&results).await?;
        worker.work().await?;
        anyhow::ensure!(world.state(id).await? == PoolState::Ready);
        world.app.kill_pool(&world.user, id).await?;
        worker.work().await?;
        if claimed && finished {
            return Ok(());
        }
    }
    anyhow::bail!("it never ended")
}
