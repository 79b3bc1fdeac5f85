//! Workflows as such: parents that end with their parts, and what cancelling leaves behind.

use std::time::Duration;

use sprout_app::ports::{EventFilter, Page, Store as _, WorkflowFilter};
use sprout_domain::{
    Reason, WorkflowId,
    appliance::ApplianceState,
    event::EventKind,
    pool::PoolState,
    workflow::{StepErrorReason, StepKind, StepOutput, TaskState, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    pings_reach_workers_and_end_their_parent,
    a_look_at_all_providers_adopts_the_one_under_way,
    cancelling_a_deployment_kills_its_appliance,
    a_kill_runs_to_its_end,
    cancelled_pings_end_and_what_runs_is_told,
    a_cancelled_check_says_nothing_of_its_provider,
    what_ended_is_pruned,
);

async fn pings_reach_workers_and_end_their_parent(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    for bad in [0, 100_001] {
        assert_eq!(world.app.ping(&"lab".into(), bad).await.unwrap_err().reason, Reason::InvalidArgument);
    }
    assert_eq!(world.app.ping(&"nowhere".into(), 1).await.unwrap_err().reason, Reason::ProviderNotFound);
    let before = world.database.store().read().await?.last_sequence().await?;
    let parent = world.app.ping(&"lab".into(), 150).await?;
    assert_eq!((parent.kind, parent.state, parent.child_count), (WorkflowKind::Pings, WorkflowState::Running, 150));
    assert_eq!(worker.work().await?, [StepKind::Ping; 150]);
    let (parent, tasks) = world.app.workflow(parent.id).await?;
    assert_eq!((parent.state, parent.open_child_count, tasks.len()), (WorkflowState::Succeeded, 0, 0));
    let events = world.database.store().read().await?.events_after(before, &EventFilter::default(), 999).await?;
    let ended: Vec<_> = events.iter().map(|event| (event.fact.kind, event.fact.state.as_deref())).collect();
    assert_eq!(ended, [(EventKind::WorkflowEnded, Some("succeeded"))], "one event, however many pings");
    Ok(())
}

async fn a_look_at_all_providers_adopts_the_one_under_way(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let check = world.app.check_provider(&"lab".into()).await?;
    let running = worker.claim().await?.remove(0);
    let all = world.app.check_providers().await?;
    assert_eq!(world.app.check_providers().await?.id, all.id, "one at a time");
    assert_eq!(world.app.workflow(check).await?.0.parent_id, Some(all.id));
    let seen = StepOutput::Provider {
        version: "1".to_owned(),
        templates: vec!["app-1.0".to_owned()],
        capabilities: std::collections::BTreeSet::new(),
        totals: sprout_domain::provider::Totals::default(),
    };
    assert!(worker.finish(key(&running), Ok(seen)).await?);
    assert_eq!(world.app.workflow(all.id).await?.0.state, WorkflowState::Succeeded);

    let again = world.app.check_providers().await?;
    assert_ne!(again.id, all.id);
    let running = worker.claim().await?.remove(0);
    assert!(worker.finish(key(&running), badly(StepErrorReason::AccessDenied)).await?);
    let failed = world.app.workflow(again.id).await?.0;
    assert_eq!((failed.state, failed.error.as_str()), (WorkflowState::Failed, "1 of 1 parts did not succeed"));
    Ok(())
}

/// The only workflow of this kind that has not ended.
async fn only(world: &World, kind: WorkflowKind) -> anyhow::Result<WorkflowId> {
    let filter = WorkflowFilter { kind: Some(kind), ..WorkflowFilter::default() };
    let found = world.app.workflows(&filter, Page { before: None, limit: 9 }).await?;
    assert_eq!(found.len(), 1, "{found:?}");
    Ok(found[0].id)
}

async fn cancelling_a_deployment_kills_its_appliance(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let clone = worker.claim().await?.remove(0);
    let id = only(&world, WorkflowKind::Deploy).await?;
    assert_eq!(world.app.cancel_workflow(id).await?.state, WorkflowState::Cancelled);
    assert_eq!(world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?.len(), 1);
    assert_eq!(world.pool(pool).await?.appliances[0].state, ApplianceState::Killing);
    assert!(worker.finish(key(&clone), badly(StepErrorReason::Cancelled)).await?);
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ended, "as if its appliance had been killed by request");
    assert_eq!(world.app.cancel_workflow(id).await?.state, WorkflowState::Cancelled, "it stays as it is");
    Ok(())
}

async fn a_kill_runs_to_its_end(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    assert_eq!(world.app.cancel_workflow(WorkflowId(999)).await.unwrap_err().reason, Reason::WorkflowNotFound);
    let pool = world.request(1, HOUR).await?;
    worker.work().await?;
    world.app.kill_pool(&world.user, pool).await?;
    let id = only(&world, WorkflowKind::Kill).await?;
    assert_eq!(world.app.cancel_workflow(id).await.unwrap_err().reason, Reason::WorkflowNotCancellable);
    worker.work().await?;
    assert_eq!(world.app.cancel_workflow(id).await?.state, WorkflowState::Succeeded, "it has ended");
    Ok(())
}

async fn cancelled_pings_end_and_what_runs_is_told(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let parent = world.app.ping(&"lab".into(), 2_500).await?;
    let running = worker.claim().await?;
    assert!(!running.is_empty());
    let cancelled = world.app.cancel_workflow(parent.id).await?;
    assert_eq!((cancelled.state, cancelled.open_child_count), (WorkflowState::Cancelled, 0));
    assert!(worker.claim().await?.is_empty());
    let told = world.app.tasks_to_cancel(std::slice::from_ref(&worker.id)).await?;
    assert_eq!(told.len(), running.len());
    for assignment in &running {
        assert!(worker.finish(key(assignment), well(StepKind::Ping)).await?);
    }
    let (part, tasks) = world.app.workflow(running[0].task.workflow_id).await?;
    assert_eq!((part.state, tasks[0].state), (WorkflowState::Cancelled, TaskState::Cancelled));
    assert_eq!(world.app.cancel_workflow(parent.id).await?.state, WorkflowState::Cancelled);
    Ok(())
}

async fn a_cancelled_check_says_nothing_of_its_provider(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let all = world.app.check_providers().await?;
    let running = worker.claim().await?.remove(0);
    world.app.cancel_workflow(all.id).await?;
    let again = world.app.check_providers().await?;
    assert_ne!(again.id, all.id, "the key is free at once");
    assert!(worker.finish(key(&running), badly(StepErrorReason::AccessDenied)).await?);
    assert!(world.app.provider(&world.user, &"lab".into()).await?.working, "what was cancelled proves nothing");
    assert_eq!(world.app.workflow(again.id).await?.0.state, WorkflowState::Running);
    Ok(())
}

async fn what_ended_is_pruned(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    let parent = world.app.ping(&"lab".into(), 5).await?;
    worker.work().await?;
    assert_eq!(world.app.prune(HOUR, 10).await?, 0);
    world.app.workflow(parent.id).await?;
    while world.app.prune(Duration::ZERO, 3).await? > 0 {}
    while world.app.prune(Duration::ZERO, 3).await? > 0 {}
    assert_eq!(world.app.workflow(parent.id).await.unwrap_err().reason, Reason::WorkflowNotFound);
    assert_eq!(world.pool(pool).await?.ready_count(), 1, "what they did stays");
    Ok(())
}
