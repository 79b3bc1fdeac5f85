//! Parents and their parts: counted once each, whoever ends them and however many at once, and ended with the last.

use futures::future::join_all;
use sprout_app::ports::{NewWorkflow, Page, Tx, WorkflowFilter, WorkflowsToLock};
use sprout_domain::{
    Result, WorkflowId,
    workflow::{StepKind, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, begin, check, ended, give, ping};

on_each_database!(
    a_parent_ends_with_its_last_part,
    parents_of_parents_end_too,
    parts_under_way_are_adopted,
    many_copies_are_a_few_statements,
    parts_that_end_at_the_same_time_are_counted_once_each,
    a_cancelled_parent_stays_cancelled,
);

async fn parent(tx: &mut Box<dyn Tx>) -> Result<WorkflowId> {
    Ok(begin(tx, vec![NewWorkflow::parent(WorkflowKind::Pings)]).await?[0])
}

fn part(of: WorkflowId) -> NewWorkflow {
    NewWorkflow { parent_id: Some(of), ..ping("p1") }
}

async fn a_parent_ends_with_its_last_part(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let (one, two) = (parent(&mut tx).await?, parent(&mut tx).await?);
    let mine = begin(&mut tx, vec![part(one), part(one), part(two)]).await?;
    assert_eq!((tx.gather_parts(one, &[]).await?, tx.gather_parts(two, &[]).await?), (2, 1));
    assert_eq!(tx.workflow(one).await?.unwrap().state, WorkflowState::Running);

    // Parts of several parents, one of them twice, and one that does not succeed.
    let first = ended(mine[0], WorkflowState::Failed, "why");
    let parents = tx.end_workflows(&[first.clone(), ended(mine[2], WorkflowState::Succeeded, "")]).await?;
    assert_eq!(
        parents.iter().map(|parent| (parent.id, parent.state)).collect::<Vec<_>>(),
        [(two, WorkflowState::Succeeded)]
    );
    assert!(tx.end_workflows(&[first]).await?.is_empty(), "it had ended");
    let half = tx.workflow(one).await?.unwrap();
    assert_eq!((half.child_count, half.open_child_count, half.failed_child_count), (2, 1, 1));
    let parents = tx.end_workflows(&[ended(mine[1], WorkflowState::Succeeded, "")]).await?;
    assert_eq!(parents.len(), 1);
    assert_eq!((parents[0].state, parents[0].error.as_str()), (WorkflowState::Failed, "1 of 2 parts did not succeed"));
    assert_eq!(parents[0].finished_at, Some(tx.now()));
    Ok(())
}

async fn parents_of_parents_end_too(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let top = parent(&mut tx).await?;
    let middle = NewWorkflow { parent_id: Some(top), ..NewWorkflow::parent(WorkflowKind::Pings) };
    let middle = begin(&mut tx, vec![middle]).await?[0];
    let leaf = begin(&mut tx, vec![part(middle)]).await?[0];
    tx.gather_parts(middle, &[]).await?;
    tx.gather_parts(top, &[]).await?;
    let parents = tx.end_workflows(&[ended(leaf, WorkflowState::Succeeded, "")]).await?;
    assert_eq!(parents.iter().map(|parent| parent.id).collect::<Vec<_>>(), [middle, top]);
    assert!(parents.iter().all(|parent| parent.state == WorkflowState::Succeeded));
    Ok(())
}

async fn parts_under_way_are_adopted(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let running = begin(&mut tx, vec![check("p1")]).await?[0];
    let over = begin(&mut tx, vec![ping("p1")]).await?[0];
    tx.end_workflows(&[ended(over, WorkflowState::Succeeded, "")]).await?;
    let all = parent(&mut tx).await?;
    assert_eq!(tx.gather_parts(all, &[running, over]).await?, 1, "what has ended is nobody's part any more");
    let another = parent(&mut tx).await?;
    assert_eq!(tx.gather_parts(another, &[running]).await?, 0, "it has a parent");
    let parents = tx.end_workflows(&[ended(running, WorkflowState::Succeeded, "")]).await?;
    assert_eq!(parents.iter().map(|parent| parent.id).collect::<Vec<_>>(), [all]);
    Ok(())
}

async fn many_copies_are_a_few_statements(db: TestDatabase) -> anyhow::Result<()> {
    const MANY: u32 = 20_000;
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let parent = tx.insert_parent_of(WorkflowKind::Pings, &ping("p1"), MANY).await?;
    let all = parent.id;
    assert_eq!(tx.workflow(all).await?, Some(parent.clone()));
    assert_eq!((parent.child_count, parent.open_child_count, parent.state), (MANY, MANY, WorkflowState::Running));
    assert_eq!(tx.tasks_of_workflow(all).await?, [], "a parent has no tasks");
    tx.commit().await?;
    let mut tx = world.write().await?;
    let claimed = give(&mut tx, "w1", 500).await?;
    assert_eq!(claimed.len(), 500);
    assert!(claimed.iter().all(|task| task.step == StepKind::Ping && task.workflow == WorkflowKind::Ping));
    let done: Vec<_> = claimed.iter().map(|task| ended(task.workflow_id, WorkflowState::Succeeded, "")).collect();
    tx.end_workflows(&done).await?;
    assert_eq!(tx.workflow(all).await?.unwrap().open_child_count, MANY - 500);
    let filter =
        WorkflowFilter { parent_id: Some(all), states: vec![WorkflowState::Succeeded], ..WorkflowFilter::default() };
    assert_eq!(tx.workflows(&filter, Page { before: None, limit: 1000 }).await?.len(), 500);
    Ok(())
}

/// On PostgreSQL: all want the same two parents, each in its own order.
async fn parts_that_end_at_the_same_time_are_counted_once_each(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let (one, two) = (parent(&mut tx).await?, parent(&mut tx).await?);
    let mut parts = Vec::new();
    for _ in 0..16 {
        parts.push(begin(&mut tx, vec![part(one), part(two)]).await?);
    }
    tx.gather_parts(one, &[]).await?;
    tx.gather_parts(two, &[]).await?;
    tx.commit().await?;
    let end = |mut ids: Vec<WorkflowId>, turned: bool| {
        let world = &world;
        async move {
            if turned {
                ids.reverse();
            }
            let mut tx = world.write().await?;
            let done: Vec<_> = ids.into_iter().map(|id| ended(id, WorkflowState::Succeeded, "")).collect();
            let parents = tx.end_workflows(&done).await?;
            tx.commit().await?;
            Ok::<_, sprout_domain::Error>(parents.len())
        }
    };
    let all = parts.into_iter().enumerate().map(|(index, ids)| end(ids, index % 2 == 1));
    let ended = join_all(all).await.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(ended.iter().sum::<usize>(), 2, "each parent ended once");
    let mut tx = world.read().await?;
    for id in [one, two] {
        let parent = tx.workflow(id).await?.unwrap();
        assert_eq!((parent.state, parent.open_child_count), (WorkflowState::Succeeded, 0));
    }
    Ok(())
}

async fn a_cancelled_parent_stays_cancelled(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let all = tx.insert_parent_of(WorkflowKind::Pings, &ping("p1"), 5).await?.id;
    assert_eq!(tx.lock_workflows(&WorkflowsToLock::One(all), 1).await?.len(), 1);
    tx.end_workflows(&[ended(all, WorkflowState::Cancelled, "")]).await?;
    assert!(tx.lock_workflows(&WorkflowsToLock::One(all), 1).await?.is_empty());
    for left in [3, 1, 0] {
        let some = tx.lock_workflows(&WorkflowsToLock::PartsOf(all), 2).await?;
        let done: Vec<_> = some.iter().map(|part| ended(part.id, WorkflowState::Cancelled, "")).collect();
        assert!(tx.end_workflows(&done).await?.is_empty());
        assert_eq!(tx.workflow(all).await?.unwrap().open_child_count, left);
    }
    assert_eq!(tx.workflow(all).await?.unwrap().state, WorkflowState::Cancelled);
    Ok(())
}
