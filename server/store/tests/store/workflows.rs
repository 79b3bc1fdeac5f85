//! Workflows: steps become tasks, singletons stay single, cancelling misses no task.

use std::time::Duration;

use sprout_app::ports::{Claim, TaskChange};
use sprout_domain::{
    Reason, TaskId,
    appliance::ApplianceState,
    lease,
    workflow::{StepKind, Subject, Task, TaskState, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, check, keys, workflow};

on_each_database!(
    steps_become_tasks,
    one_kill_and_one_check_at_a_time,
    live_ones_are_found_by_subject,
    cancelling_reaches_every_task,
    changes_of_tasks,
    live_workflows_lock_their_tasks,
);

fn claim(worker: &str) -> Claim {
    Claim { worker: worker.into(), providers: keys(&["p1"]), limit: 10 }
}

fn change(state: TaskState) -> TaskChange {
    TaskChange { state, due_in: Duration::ZERO, error: String::new(), uncount_attempt: false }
}

/// A world with worker "w1" and one appliance.
async fn world(db: TestDatabase) -> anyhow::Result<(World, sprout_domain::appliance::Appliance)> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    crate::workers::connect(&mut tx, "w1", "s1").await?;
    let appliance = world.appliances(&mut tx, 1, ApplianceState::Requested).await?.remove(0);
    tx.commit().await?;
    Ok((world, appliance))
}

async fn steps_become_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let mut waiting = workflow(WorkflowKind::Kill, &appliance);
    waiting.wait = true;
    let ids = tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance), waiting, check("p1")]).await?;
    assert!(ids.is_sorted());
    let claimed = tx.claim_tasks(&claim("w1")).await?;
    let first = &claimed[0];
    assert_eq!(
        first,
        &Task {
            id: first.id,
            workflow_id: ids[0],
            workflow: WorkflowKind::Deploy,
            subject: Subject::Appliance(appliance.id),
            step: StepKind::Clone,
            position: 0,
            state: TaskState::Running,
            provider: "p1".into(),
            attempt: 1,
            epoch: 1,
            worker: Some("w1".into()),
            cancel_requested: false,
            due_at: tx.now(),
        }
    );
    assert_eq!(claimed[1].subject, Subject::Provider("p1".into()));
    assert_eq!(claimed.len(), 2, "the kill waits");
    assert_eq!(tx.lock_task(first.id).await?.as_ref(), Some(first));
    assert_eq!(tx.lock_task(TaskId(999)).await?, None);

    // Only what is blocked becomes ready.
    tx.ready_tasks(&[(ids[0], 0), (ids[0], 1), (ids[1], 0), (ids[1], 9)]).await?;
    let claimed = tx.claim_tasks(&claim("w1")).await?;
    assert_eq!(claimed.iter().map(|task| task.step).collect::<Vec<_>>(), [StepKind::Stop, StepKind::WaitPresent]);
    let running: Vec<_> = tx.tasks_of_worker(&"w1".into()).await?.iter().map(|task| task.step).collect();
    assert_eq!(running, [StepKind::Clone, StepKind::WaitPresent, StepKind::Stop, StepKind::CheckProvider]);
    Ok(())
}

async fn one_kill_and_one_check_at_a_time(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    for new in [workflow(WorkflowKind::Kill, &appliance), check("p1")] {
        let mut tx = world.write().await?;
        let ids = tx.insert_workflows(vec![new.clone()]).await?;
        tx.commit().await?;
        let mut tx = world.write().await?;
        assert_eq!(tx.insert_workflows(vec![new.clone()]).await.unwrap_err().reason, Reason::WrongState);
        drop(tx);
        let mut tx = world.write().await?;
        tx.set_workflows(&ids, WorkflowState::Succeeded, "").await?;
        tx.insert_workflows(vec![new]).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn live_ones_are_found_by_subject(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let about = [Subject::Appliance(appliance.id), Subject::Provider("p1".into())];
    assert!(tx.live_workflows(&about).await?.is_empty());
    let ids = tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance), check("p1")]).await?;
    let task = tx.claim_tasks(&Claim { limit: 1, ..claim("w1") }).await?.remove(0);
    let live = tx.live_workflows(&about).await?;
    let seen: Vec<_> = live.iter().map(|live| (live.id, live.kind, live.has_running_task)).collect();
    assert_eq!(seen, [(ids[0], WorkflowKind::Deploy, true), (ids[1], WorkflowKind::CheckProvider, false)]);
    assert_eq!(live.into_iter().map(|live| live.subject).collect::<Vec<_>>(), about);
    assert_eq!(tx.live_workflows(&about[1..]).await?.len(), 1);

    tx.change_tasks(&[task.id], &change(TaskState::Failed)).await?;
    tx.set_workflows(&ids[..1], WorkflowState::Failed, "why").await?;
    assert_eq!(tx.live_workflows(&about).await?.len(), 1);
    Ok(())
}

async fn cancelling_reaches_every_task(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let ids = tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance), check("p1")]).await?;
    let clone = tx.claim_tasks(&Claim { limit: 1, ..claim("w1") }).await?.remove(0);
    tx.cancel_tasks(&ids[..1]).await?;
    let workers = ["w1".into(), "w2".into()];
    let to_cancel = tx.tasks_to_cancel(&workers).await?;
    assert_eq!(to_cancel.iter().map(|task| task.id).collect::<Vec<_>>(), [clone.id]);
    assert!(to_cancel[0].cancel_requested && to_cancel[0].state == TaskState::Running);
    // The steps after it can no longer become ready; the other workflow's can be given out.
    tx.ready_tasks(&[(ids[0], 1)]).await?;
    let claimed = tx.claim_tasks(&claim("w1")).await?;
    assert_eq!(claimed.iter().map(|task| task.step).collect::<Vec<_>>(), [StepKind::CheckProvider]);
    tx.change_tasks(&[clone.id], &change(TaskState::Cancelled)).await?;
    assert!(tx.tasks_to_cancel(&workers).await?.is_empty());
    Ok(())
}

async fn changes_of_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    let task = tx.claim_tasks(&claim("w1")).await?.remove(0);
    assert_eq!(tx.next_due().await?, None);

    let later = Duration::from_micros(1_500_000);
    let retry = TaskChange { due_in: later, error: "no".to_owned(), ..change(TaskState::Retrying) };
    tx.change_tasks(&[task.id], &retry).await?;
    let due = lease::end(tx.now(), later);
    let after = tx.lock_task(task.id).await?.unwrap();
    assert_eq!((after.state, after.due_at, after.worker, after.attempt), (TaskState::Retrying, due, None, 1));
    assert_eq!(tx.next_due().await?, Some(due));
    assert!(tx.claim_tasks(&claim("w1")).await?.is_empty(), "it is not due");

    let lost = TaskChange { uncount_attempt: true, ..change(TaskState::Ready) };
    tx.change_tasks(&[task.id], &lost).await?;
    assert_eq!(tx.lock_task(task.id).await?.unwrap().attempt, 0);
    tx.change_tasks(&[task.id], &lost).await?;
    assert_eq!(tx.lock_task(task.id).await?.unwrap().attempt, 0);
    let again = tx.claim_tasks(&claim("w1")).await?.remove(0);
    assert_eq!((again.id, again.attempt, again.epoch), (task.id, 1, 2));
    assert_eq!(tx.next_due().await?, None);
    Ok(())
}

async fn live_workflows_lock_their_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    let live = tx.live_workflows(&[Subject::Appliance(appliance.id)]).await?;
    let other = async {
        let mut tx = world.write().await?;
        let claimed = tx.claim_tasks(&claim("w1")).await?;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(claimed)
    };
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tx.cancel_tasks(&[live[0].id]).await?;
        tx.commit().await
    };
    let (claimed, cancelled) = tokio::join!(other, cancel);
    cancelled?;
    assert!(claimed?.is_empty(), "a task was given out while it was being cancelled");
    Ok(())
}
