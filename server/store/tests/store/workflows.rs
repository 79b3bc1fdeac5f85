//! Workflows: steps become tasks, what may be there once is there once, cancelling misses no task, the old ones are pruned.

use std::time::Duration;

use sprout_app::ports::{NewWorkflow, Page, TaskChange, WorkflowFilter};
use sprout_domain::{
    TaskId, WorkflowId,
    appliance::{Appliance, ApplianceState},
    lease,
    workflow::{Lane, StepKind, Subject, Task, TaskState, Workflow, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, begin, check, ended, give, workflow};

on_each_database!(
    steps_become_tasks,
    a_key_is_had_once,
    keys_that_are_taken_at_the_same_time_are_had_once,
    live_ones_are_found_by_subject,
    cancelling_reaches_every_task,
    changes_of_tasks,
    what_starts_later_waits,
    live_workflows_lock_their_tasks,
    lists_are_filtered_and_paged,
    old_ones_are_pruned,
);

fn change(state: TaskState) -> TaskChange {
    TaskChange { state, due_in: Duration::ZERO, error: String::new(), uncount_attempt: false }
}

/// A world with one appliance.
async fn world(db: TestDatabase) -> anyhow::Result<(World, Appliance)> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let appliance = world.appliances(&mut tx, 1, ApplianceState::Requested).await?.remove(0);
    tx.commit().await?;
    Ok((world, appliance))
}

fn steps(tasks: &[Task]) -> Vec<StepKind> {
    tasks.iter().map(|task| task.step).collect()
}

async fn steps_become_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let mut waiting = workflow(WorkflowKind::Kill, &appliance);
    waiting.wait = true;
    let ids = begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance), waiting, check("p1")]).await?;
    let claimed = give(&mut tx, "w1", 10).await?;
    let first = &claimed[0];
    let now = tx.now();
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
            lane: Lane::Provision,
            provider: "p1".into(),
            attempt: 1,
            epoch: 1,
            worker: Some("w1".into()),
            cancel_requested: false,
            stalled: false,
            due_at: now,
            status: String::new(),
            error: String::new(),
            created_at: now,
            started_at: Some(now),
            progress_at: first.progress_at,
            finished_at: None,
        }
    );
    assert_eq!(claimed[1].subject, Subject::Provider("p1".into()));
    assert_eq!(claimed.len(), 2, "the kill waits");
    assert_eq!(tx.lock_tasks(&[first.id, TaskId(999)]).await?, std::slice::from_ref(first));
    assert_eq!(tx.tasks_of_workflow(ids[0]).await?.len(), WorkflowKind::Deploy.steps().len());

    // Only what is blocked becomes ready.
    tx.ready_tasks(&[(ids[0], 0), (ids[0], 1), (ids[1], 0), (ids[1], 9)]).await?;
    assert_eq!(steps(&give(&mut tx, "w1", 10).await?), [StepKind::Stop, StepKind::WaitPresent]);
    let running = tx.tasks_of_worker(&"w1".into()).await?;
    let mut running = steps(&running);
    running.sort_by_key(|step| step.as_str());
    assert_eq!(running, [StepKind::CheckProvider, StepKind::Clone, StepKind::Stop, StepKind::WaitPresent]);
    Ok(())
}

async fn a_key_is_had_once(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    for new in
        [workflow(WorkflowKind::Kill, &appliance), check("p1"), NewWorkflow::parent(WorkflowKind::CheckProviders)]
    {
        let mut tx = world.write().await?;
        let first = tx.insert_workflows(vec![new.clone(), new.clone()]).await?;
        assert_eq!((first[0].id, first[0].is_new, first[1].is_new), (first[1].id, true, false));
        assert_eq!(tx.tasks_of_workflow(first[0].id).await?.len(), new.kind.steps().len());
        tx.commit().await?;
        let mut tx = world.write().await?;
        let deploy = NewWorkflow::new(WorkflowKind::Deploy, Subject::Appliance(appliance.id), Some("p1".into()));
        let again = tx.insert_workflows(vec![deploy.clone(), new.clone(), deploy]).await?;
        assert_eq!((again[1].id, again[1].is_new), (first[0].id, false));
        assert!(again[0].is_new && again[2].is_new && again[0].id < again[2].id);
        tx.end_workflows(&[ended(first[0].id, WorkflowState::Succeeded, "")]).await?;
        assert!(tx.insert_workflows(vec![new]).await?[0].is_new, "the key is free again");
        tx.commit().await?;
    }
    Ok(())
}

/// On PostgreSQL: whoever comes second waits for the first and finds its workflow.
async fn keys_that_are_taken_at_the_same_time_are_had_once(db: TestDatabase) -> anyhow::Result<()> {
    let (world, _) = world(db).await?;
    for _ in 0..10 {
        let one = async {
            let mut tx = world.write().await?;
            let begun = tx.insert_workflows(vec![check("p1")]).await?.remove(0);
            tokio::task::yield_now().await;
            tx.commit().await?;
            Ok::<_, sprout_domain::Error>(begun)
        };
        let other = async {
            let mut tx = world.write().await?;
            let begun = tx.insert_workflows(vec![check("p1")]).await?.remove(0);
            tx.commit().await?;
            Ok::<_, sprout_domain::Error>(begun)
        };
        let (one, other) = tokio::join!(one, other);
        let (one, other) = (one?, other?);
        assert_eq!(one.id, other.id);
        assert!(one.is_new != other.is_new);
        let mut tx = world.write().await?;
        tx.end_workflows(&[ended(one.id, WorkflowState::Succeeded, "")]).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn live_ones_are_found_by_subject(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let about = [Subject::Appliance(appliance.id)];
    assert!(tx.live_workflows(&about).await?.is_empty());
    let ids = begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance), check("p1")]).await?;
    let task = give(&mut tx, "w1", 1).await?.remove(0);
    let live = tx.live_workflows(&about).await?;
    let seen: Vec<_> = live.iter().map(|live| (live.id, live.kind, live.has_running_task)).collect();
    assert_eq!(seen, [(ids[0], WorkflowKind::Deploy, true)]);

    tx.change_tasks(&[task.id], &change(TaskState::Failed)).await?;
    tx.end_workflows(&[ended(ids[0], WorkflowState::Failed, "why")]).await?;
    assert!(tx.live_workflows(&about).await?.is_empty());
    Ok(())
}

async fn cancelling_reaches_every_task(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let ids = begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance), check("p1")]).await?;
    let clone = give(&mut tx, "w1", 1).await?.remove(0);
    tx.cancel_tasks(&ids[..1]).await?;
    let workers = ["w1".into(), "w2".into()];
    let to_cancel = tx.tasks_to_cancel(&workers).await?;
    assert_eq!(to_cancel.iter().map(|task| task.id).collect::<Vec<_>>(), [clone.id]);
    assert!(to_cancel[0].cancel_requested && to_cancel[0].state == TaskState::Running);
    assert_eq!(tx.unanswered_tasks(Duration::ZERO, 9).await?.len(), 1, "it was told to stop");
    // The steps after it can no longer become ready; the other workflow's can be given out.
    tx.ready_tasks(&[(ids[0], 1)]).await?;
    assert_eq!(steps(&give(&mut tx, "w1", 10).await?), [StepKind::CheckProvider]);
    tx.change_tasks(&[clone.id], &change(TaskState::Cancelled)).await?;
    assert!(tx.tasks_to_cancel(&workers).await?.is_empty());
    assert!(tx.tasks_of_workflow(ids[0]).await?.iter().all(|task| task.state == TaskState::Cancelled));
    Ok(())
}

async fn changes_of_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    let task = give(&mut tx, "w1", 10).await?.remove(0);
    assert_eq!(tx.next_due().await?, None);

    let later = Duration::from_micros(1_500_000);
    let retry = TaskChange { due_in: later, error: "no".to_owned(), ..change(TaskState::Retrying) };
    tx.change_tasks(&[task.id], &retry).await?;
    let due = lease::end(tx.now(), later);
    let after = tx.lock_tasks(&[task.id]).await?.remove(0);
    assert_eq!((after.state, after.due_at, after.attempt), (TaskState::Retrying, due, 1));
    assert_eq!(after.worker, Some("w1".into()), "it had it last");
    assert_eq!(tx.next_due().await?, Some(due));
    assert!(give(&mut tx, "w1", 10).await?.is_empty(), "it is not due");

    let lost = TaskChange { uncount_attempt: true, ..change(TaskState::Ready) };
    tx.change_tasks(&[task.id], &lost).await?;
    assert_eq!(tx.lock_tasks(&[task.id]).await?[0].attempt, 0);
    tx.change_tasks(&[task.id], &lost).await?;
    assert_eq!(tx.lock_tasks(&[task.id]).await?[0].attempt, 0);
    let again = give(&mut tx, "w1", 10).await?.remove(0);
    assert_eq!((again.id, again.attempt, again.epoch), (task.id, 1, 2));
    assert_eq!(tx.next_due().await?, None);
    Ok(())
}

async fn what_starts_later_waits(db: TestDatabase) -> anyhow::Result<()> {
    let (world, _) = world(db).await?;
    let mut tx = world.write().await?;
    let wait = Duration::from_millis(1500);
    begin(&mut tx, vec![NewWorkflow { start_in: wait, ..check("p1") }]).await?;
    assert!(give(&mut tx, "w1", 10).await?.is_empty());
    assert_eq!(tx.next_due().await?, Some(lease::end(tx.now(), wait)));
    tx.commit().await?;
    tokio::time::sleep(wait).await;
    let mut tx = world.write().await?;
    assert_eq!(tx.next_due().await?, None);
    assert_eq!(steps(&give(&mut tx, "w1", 10).await?), [StepKind::CheckProvider]);
    Ok(())
}

async fn live_workflows_lock_their_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    let live = tx.live_workflows(&[Subject::Appliance(appliance.id)]).await?;
    let other = async {
        let mut tx = world.write().await?;
        let claimed = give(&mut tx, "w1", 10).await?;
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

async fn lists_are_filtered_and_paged(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let ids = begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance), check("p1")]).await?;
    give(&mut tx, "w1", 10).await?;
    tx.cancel_tasks(&ids[1..]).await?;
    tx.end_workflows(&[ended(ids[1], WorkflowState::Failed, "why")]).await?;
    let expected = Workflow {
        id: ids[0],
        kind: WorkflowKind::Deploy,
        state: WorkflowState::Running,
        subject: Subject::Appliance(appliance.id),
        provider: Some("p1".into()),
        owner_id: None,
        parent_id: None,
        child_count: 0,
        open_child_count: 0,
        failed_child_count: 0,
        step: Some(StepKind::Clone),
        error: String::new(),
        created_at: tx.now(),
        finished_at: None,
    };
    assert_eq!(tx.workflow(ids[0]).await?, Some(expected.clone()));
    assert_eq!(tx.workflow(WorkflowId(999)).await?, None);
    let page = |before: Option<WorkflowId>, limit| Page { before: before.map(|id| id.0), limit };
    let all = WorkflowFilter::default;
    assert_eq!(tx.workflows(&all(), page(None, 9)).await?, [expected]);
    let states = vec![WorkflowState::Failed, WorkflowState::Running];
    let any = WorkflowFilter { states, provider: Some("p1".into()), ..all() };
    let seen = |list: Vec<Workflow>| list.iter().map(|workflow| workflow.id).collect::<Vec<_>>();
    assert_eq!(seen(tx.workflows(&any, page(None, 1)).await?), [ids[1]]);
    assert_eq!(seen(tx.workflows(&any, page(Some(ids[1]), 1)).await?), [ids[0]]);
    let failed = tx.workflow(ids[1]).await?.unwrap();
    assert_eq!((failed.error.as_str(), failed.finished_at), ("why", Some(tx.now())));
    let kind = WorkflowFilter { kind: Some(WorkflowKind::CheckProvider), ..any.clone() };
    assert_eq!(seen(tx.workflows(&kind, page(None, 9)).await?), [ids[1]]);
    let of = WorkflowFilter { appliance_id: Some(appliance.id), ..all() };
    tx.end_workflows(&[ended(ids[0], WorkflowState::Cancelled, "")]).await?;
    assert_eq!(seen(tx.workflows(&of, page(None, 9)).await?), [ids[0]], "of one appliance in any state");
    let elsewhere = WorkflowFilter { provider: Some("p2".into()), ..any };
    assert!(tx.workflows(&elsewhere, page(None, 9)).await?.is_empty());
    Ok(())
}

async fn old_ones_are_pruned(db: TestDatabase) -> anyhow::Result<()> {
    let (world, appliance) = world(db).await?;
    let mut tx = world.write().await?;
    let parent = begin(&mut tx, vec![NewWorkflow::parent(WorkflowKind::CheckProviders)]).await?[0];
    let part = begin(&mut tx, vec![NewWorkflow { parent_id: Some(parent), ..check("p1") }]).await?[0];
    tx.gather_parts(parent, &[]).await?;
    let [stuck, live]: [_; 2] =
        begin(&mut tx, vec![workflow(WorkflowKind::Deploy, &appliance), workflow(WorkflowKind::Deploy, &appliance)])
            .await?
            .try_into()
            .unwrap();
    give(&mut tx, "w1", 1).await?; // the first clone
    tx.cancel_tasks(&[part, stuck]).await?;
    tx.end_workflows(&[ended(part, WorkflowState::Succeeded, ""), ended(stuck, WorkflowState::Cancelled, "")]).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    assert_eq!(tx.prune_workflows(Duration::from_secs(60), 10).await?, 0, "they are not old");
    assert_eq!(tx.prune_workflows(Duration::from_micros(1), 10).await?, 1, "the parent after its part");
    assert_eq!(tx.workflow(part).await?, None);
    assert!(tx.tasks_of_workflow(part).await?.is_empty());
    assert_eq!(tx.prune_workflows(Duration::from_micros(1), 10).await?, 1);
    assert_eq!(tx.workflow(parent).await?, None);
    assert_eq!(
        tx.prune_workflows(Duration::from_micros(1), 10).await?,
        0,
        "one lives, and one has a task with a worker"
    );
    assert!(tx.workflow(stuck).await?.is_some() && tx.workflow(live).await?.is_some());
    Ok(())
}
