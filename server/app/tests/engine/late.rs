//! What takes too long: deployments go elsewhere, kills are told of, and empty pools end.

use std::time::Duration;

use sprout_app::ports::{ApplianceBy, ApplianceFilter, EventFilter, Page, Store as _};
use sprout_domain::{
    ApplianceId, Reason,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    pool::PoolState,
    user::{Role, User},
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);
const LONG_AGO: &str = "2000-01-01T00:00:00.000000+00:00";

on_each_database!(
    a_deployment_that_takes_too_long_is_ended_and_made_up_for,
    a_warm_deployment_that_takes_too_long_is_killed,
    a_deployment_that_no_worker_begins_is_ended_without_its_provider,
    a_kill_that_does_not_get_on_is_told_of_once_and_goes_on,
    what_nobody_can_delete_is_forgotten_by_request_only,
    a_pool_of_which_nothing_is_left_ends,
);

impl World {
    /// Makes all workflows of this kind late.
    async fn make_late(&self, kind: &str) -> anyhow::Result<()> {
        let sql = format!("update workflows set late_at = '{LONG_AGO}' where kind = '{kind}' and finished_at is null");
        assert!(self.database.execute(&sql).await? > 0, "nothing could be late");
        Ok(())
    }

    fn superuser(&self) -> User {
        User { role: Role::Superuser, ..self.user.clone() }
    }

    async fn look_at(&self, id: ApplianceId) -> anyhow::Result<Appliance> {
        Ok(self.app.appliance(&self.superuser(), &ApplianceBy::Id(id)).await?)
    }

    /// What was told of an appliance, other than of its state.
    async fn told_of(&self, id: ApplianceId) -> anyhow::Result<Vec<String>> {
        let filter = EventFilter { appliance_id: Some(id), ..EventFilter::default() };
        let events = self.database.store().read().await?.events_after(0, &filter, 999).await?;
        let of_it = events.into_iter().filter(|event| event.fact.kind == EventKind::ApplianceChanged);
        Ok(of_it.map(|event| event.fact.message).collect())
    }

    async fn stuck(&self) -> anyhow::Result<Vec<ApplianceId>> {
        let filter = ApplianceFilter { stuck: true, ..ApplianceFilter::default() };
        let found = self.app.appliances(&self.superuser(), filter, Page { before: None, limit: 9 }).await?;
        Ok(found.iter().map(|appliance| appliance.id).collect())
    }
}

async fn a_deployment_that_takes_too_long_is_ended_and_made_up_for(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let clone = worker.claim().await?.remove(0);
    let first = clone.appliance.clone().unwrap().id;
    let wait = world.app.deal_with_late().await?.unwrap();
    assert!(wait > Duration::from_secs(3500) && wait <= HOUR, "{wait:?}");
    assert_eq!(world.look_at(first).await?.state, ApplianceState::Cloning);

    world.make_late("deploy").await?;
    let (one, other) = tokio::join!(world.app.deal_with_late(), world.app.deal_with_late());
    one?;
    other?;
    let ended = world.look_at(first).await?;
    assert_eq!(ended.state, ApplianceState::Killing);
    assert!(ended.status.starts_with("not ready after"), "{}", ended.status);
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.failure_count, view.pool.waiting_count), (1, 1), "it counts as one that failed, once");
    assert!(worker.claim().await?.is_empty(), "what its worker does must end first");
    assert!(worker.finish(key(&clone), badly(StepErrorReason::Cancelled)).await?);
    worker.work().await?;
    assert_eq!(world.look_at(first).await?.state, ApplianceState::Gone);
    world.app.place_waiting().await?;
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ready);
    Ok(())
}

async fn a_warm_deployment_that_takes_too_long_is_killed(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let clone = worker.claim().await?.remove(0);
    assert!(worker.finish(key(&clone), well(StepKind::Clone)).await?);
    let id = clone.appliance.unwrap().id;
    world.database.execute(&format!("update appliances set pool_id = null where id = {id}")).await?;
    world.make_late("deploy").await?;
    world.app.deal_with_late().await?;
    assert_eq!(world.look_at(id).await?.state, ApplianceState::Killing);
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!(world.pool(pool).await?.pool.failure_count, 0);
    Ok(())
}

async fn a_deployment_that_no_worker_begins_is_ended_without_its_provider(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let pool = world.request(1, HOUR).await?;
    let first = world.pool(pool).await?.appliances[0].id;
    world.make_late("deploy").await?;
    world.app.deal_with_late().await?;
    assert_eq!(world.look_at(first).await?.state, ApplianceState::Gone, "nothing was asked of the provider");
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.failure_count, view.pool.waiting_count), (1, 1));
    let provider = world.app.provider(&world.user, &"lab".into()).await?;
    assert_eq!(provider.circuit.failures, 0, "it is not the provider's fault");
    Ok(())
}

async fn a_kill_that_does_not_get_on_is_told_of_once_and_goes_on(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    worker.work().await?;
    let id = world.pool(pool).await?.appliances[0].id;
    world.app.kill_appliance(&world.user, id).await?;
    let wait = world.app.deal_with_late().await?.unwrap();
    assert!(wait > Duration::from_secs(500) && wait <= Duration::from_secs(600), "{wait:?}");
    assert_eq!(world.stuck().await?, []);
    for step in [StepKind::Stop, StepKind::Delete] {
        let claimed = worker.claim().await?.remove(0);
        assert_eq!(claimed.task.step, step);
        let outcome = if step == StepKind::Stop { well(step) } else { badly(StepErrorReason::Unreachable) };
        assert!(worker.finish(key(&claimed), outcome).await?);
    }
    for _ in 0..2 {
        world.make_late("kill").await?;
        world.app.deal_with_late().await?;
    }
    let told = world.told_of(id).await?;
    assert_eq!(told.len(), 1, "{told:?}");
    let stuck = world.look_at(id).await?;
    assert!(stuck.status.contains("delete was tried 1 times, and failed: as the test wants"), "{}", stuck.status);
    assert!(stuck.stuck_since.is_some());
    assert_eq!(world.stuck().await?, [id]);
    let refused = world.app.forget_appliance(&world.superuser(), id).await.unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState, "its provider is configured");

    // What is told of it is what happened last.
    world.database.execute(&format!("update tasks set due_at = '{LONG_AGO}' where state = 'retrying'")).await?;
    let claimed = worker.claim().await?.remove(0);
    assert!(worker.finish(key(&claimed), badly(StepErrorReason::AccessDenied)).await?);
    assert!(world.look_at(id).await?.status.contains("tried again in"), "{}", world.look_at(id).await?.status);
    world.database.execute(&format!("update tasks set due_at = '{LONG_AGO}' where state = 'retrying'")).await?;
    assert_eq!(worker.work().await?, [StepKind::Delete, StepKind::WaitGone], "it is tried for ever");
    assert_eq!(world.stuck().await?, []);
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}

async fn what_nobody_can_delete_is_forgotten_by_request_only(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(2, HOUR).await?;
    worker.work().await?;
    let ids: Vec<_> = world.pool(pool).await?.appliances.iter().map(|appliance| appliance.id).collect();
    world.app.kill_appliance(&world.user, ids[0]).await?;
    let full = (*world.app.catalogue()).clone();
    let mut without = full.clone();
    without.providers.clear();
    world.app.set_catalogue(without).await?;
    let superuser = world.superuser();
    let alive = world.app.forget_appliance(&superuser, ids[1]).await.unwrap_err();
    assert_eq!(alive.reason, Reason::WrongState, "it is not being killed");
    world.app.kill_appliance(&superuser, ids[1]).await?;
    world.app.deal_with_late().await?;
    for id in &ids {
        let status = world.look_at(*id).await?.status;
        assert!(status.contains("is not configured any more"), "{status}");
    }
    assert!(worker.claim().await?.is_empty());

    let forgotten = world.app.forget_appliance(&superuser, ids[0]).await?;
    assert_eq!(forgotten.state, ApplianceState::Gone);
    assert_eq!(world.app.forget_appliance(&superuser, ids[0]).await?.state, ApplianceState::Gone, "once more");
    assert_eq!(world.stuck().await?, [ids[1]]);
    let foreign = world.app.forget_appliance(&superuser, ApplianceId(999)).await.unwrap_err();
    assert_eq!(foreign.reason, Reason::ApplianceNotFound);

    world.app.set_catalogue(full).await?;
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone], "the other goes on");
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}

async fn a_pool_of_which_nothing_is_left_ends(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let (broken, fine) = (world.request(1, HOUR).await?, world.request(1, HOUR).await?);
    worker.work().await?;
    assert_eq!(world.app.end_empty_pools(HOUR).await?, 0);
    // The engine makes no such pool.
    world.database.execute(&format!("update appliances set state = 'gone' where pool_id = {broken}")).await?;
    assert_eq!(world.app.end_empty_pools(HOUR).await?, 0, "it may be so for a moment");
    world.database.execute(&format!("update pools set created_at = '{LONG_AGO}'")).await?;
    assert_eq!(world.app.end_empty_pools(HOUR).await?, 1);
    assert_eq!(world.app.end_empty_pools(HOUR).await?, 0);
    assert_eq!(world.pool(broken).await?.pool.state, PoolState::Ended);
    assert_eq!(world.pool(fine).await?.pool.state, PoolState::Ready);
    Ok(())
}
