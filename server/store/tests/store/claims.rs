//! Giving tasks out: in order, within slots, and each to one worker only, however many ask at once.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sprout_app::ports::{Claim, NewAppliance, NewWorkflow, TemplateFilter, Tx};
use sprout_domain::{
    ApplianceId, Result,
    appliance::{Appliance, ApplianceState},
    dispatch::Server,
    worker::Slots,
    workflow::{StepKind, Subject, Task, WorkflowKind},
};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};
use tokio::time::timeout;

use crate::{
    workers::connect,
    world::{World, check, found, keys, provider, to, workflow},
};

on_each_database!(
    lanes_then_priority_then_age,
    slots_bound_first_clones,
    a_repeated_clone_needs_no_second_slot,
    appliances_bound_first_clones,
    waiting_clones_hold_nothing_up,
    only_asked_providers,
    each_task_goes_to_one_worker,
    limits_hold_however_many_ask,
    who_asks_meanwhile_gets_the_rest,
    nobody_waits_for_what_is_about_to_be_killed,
);

/// Asks for tasks and, as the use case does, moves the appliances of clones on.
async fn dispatch(tx: &mut Box<dyn Tx>, worker: &str, providers: &[&str], limit: u32) -> Result<Vec<Task>> {
    let room = Slots { shared: limit, ..Slots::default() };
    let server = Server { id: worker.into(), providers: keys(providers).into_iter().collect(), room };
    let tasks = tx.claim_tasks(&Claim { servers: vec![server], limit: 100 }).await?.tasks;
    let clones: Vec<ApplianceId> = tasks
        .iter()
        .filter(|task| task.step == StepKind::Clone)
        .filter_map(|task| match task.subject {
            Subject::Appliance(id) => Some(id),
            Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
        })
        .collect();
    tx.change_appliances(&clones, &to(ApplianceState::Cloning)).await?;
    Ok(tasks)
}

fn subjects(tasks: &[Task]) -> Vec<&Subject> {
    tasks.iter().map(|task| &task.subject).collect()
}

fn subject(appliance: &Appliance) -> Subject {
    Subject::Appliance(appliance.id)
}

/// A deployment with a priority.
fn deploy(appliance: &Appliance, priority: i16) -> NewWorkflow {
    NewWorkflow { priority, ..workflow(WorkflowKind::Deploy, appliance) }
}

async fn lanes_then_priority_then_age(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[provider("p1", 9, None)]).await?;
    let made = world.appliances(&mut tx, 6, ApplianceState::Requested).await?;
    tx.insert_workflows(vec![
        check("p1"),
        deploy(&made[0], 1),
        deploy(&made[1], 0),
        deploy(&made[2], 0),
        workflow(WorkflowKind::Kill, &made[3]),
        deploy(&made[4], 1),
        workflow(WorkflowKind::Kill, &made[5]),
    ])
    .await?;
    let first = dispatch(&mut tx, "w", &["p1"], 4).await?;
    assert_eq!(subjects(&first), [3, 5, 1, 2].map(|n| subject(&made[n])).iter().collect::<Vec<_>>());
    let second = dispatch(&mut tx, "w", &["p1"], 2).await?;
    assert_eq!(subjects(&second), [0, 4].map(|n| subject(&made[n])).iter().collect::<Vec<_>>());
    let last = dispatch(&mut tx, "w", &["p1"], 2).await?;
    assert_eq!(subjects(&last), [&Subject::Provider("p1".into())]);
    assert!(dispatch(&mut tx, "w", &["p1"], 2).await?.is_empty());
    assert!(dispatch(&mut tx, "w", &["p1"], 0).await?.is_empty());

    // Later steps of deployments and first clones are one queue: by priority, then by age.
    let more: Vec<NewAppliance> = (0..2).map(|n| world.new_appliance(&format!("b{n}"))).collect();
    let more = tx.insert_appliances(more).await?;
    tx.insert_workflows(vec![deploy(&more[0], 0), deploy(&more[1], 1)]).await?;
    let later: Vec<_> = first.iter().chain(&second).filter(|task| task.workflow == WorkflowKind::Deploy).collect();
    tx.ready_tasks(&later.iter().map(|task| (task.workflow_id, 1)).collect::<Vec<_>>()).await?;
    let mixed = dispatch(&mut tx, "w", &["p1"], 4).await?;
    let expected = [&made[1], &made[2], &more[0], &made[0]].map(subject);
    assert_eq!(subjects(&mixed), expected.iter().collect::<Vec<_>>());
    let mixed = dispatch(&mut tx, "w", &["p1"], 4).await?;
    let expected = [&made[4], &more[1]].map(subject);
    assert_eq!(subjects(&mixed), expected.iter().collect::<Vec<_>>());
    Ok(())
}

async fn slots_bound_first_clones(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let made = world.appliances(&mut tx, 4, ApplianceState::Requested).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    assert_eq!(dispatch(&mut tx, "w", &["p1"], 9).await?.len(), 2);
    assert!(dispatch(&mut tx, "w", &["p1"], 9).await?.is_empty());
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Preparing)).await?;
    assert!(dispatch(&mut tx, "w", &["p1"], 9).await?.is_empty());
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Ready)).await?;
    assert_eq!(subjects(&dispatch(&mut tx, "w", &["p1"], 9).await?), [&subject(&made[2])]);
    tx.change_appliances(&[made[1].id], &to(ApplianceState::Failed)).await?;
    assert_eq!(subjects(&dispatch(&mut tx, "w", &["p1"], 9).await?), [&subject(&made[3])]);
    Ok(())
}

async fn a_repeated_clone_needs_no_second_slot(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let made = world.appliances(&mut tx, 2, ApplianceState::Requested).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    let tasks = dispatch(&mut tx, "w", &["p1"], 9).await?;
    let again = sprout_app::ports::TaskChange {
        state: sprout_domain::workflow::TaskState::Retrying,
        due_in: Duration::ZERO,
        error: "no answer".to_owned(),
        uncount_attempt: false,
    };
    tx.change_tasks(&tasks.iter().map(|task| task.id).collect::<Vec<_>>(), &again).await?;
    let repeated = dispatch(&mut tx, "w", &["p1"], 9).await?;
    assert_eq!(repeated.iter().map(|task| (task.step, task.attempt)).collect::<Vec<_>>(), [(StepKind::Clone, 2); 2]);
    Ok(())
}

async fn appliances_bound_first_clones(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[provider("p1", 9, Some(3))]).await?;
    let made = world.appliances(&mut tx, 6, ApplianceState::Requested).await?;
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Ready)).await?;
    tx.change_appliances(&[made[1].id], &to(ApplianceState::Killing)).await?;
    let wanted = &made[2..];
    tx.insert_workflows(wanted.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    assert_eq!(subjects(&dispatch(&mut tx, "w", &["p1"], 9).await?), [&subject(&made[2])]);
    assert!(dispatch(&mut tx, "w", &["p1"], 9).await?.is_empty());
    tx.change_appliances(&[made[1].id], &to(ApplianceState::Gone)).await?;
    assert_eq!(subjects(&dispatch(&mut tx, "w", &["p1"], 9).await?), [&subject(&made[3])]);
    // A limit that was lowered below what is there lets nothing through, and breaks nothing.
    tx.sync_providers(&[provider("p1", 1, Some(1))]).await?;
    assert!(dispatch(&mut tx, "w", &["p1"], 9).await?.is_empty());
    Ok(())
}

async fn waiting_clones_hold_nothing_up(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let made = world.appliances(&mut tx, 50, ApplianceState::Requested).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    tx.insert_workflows(vec![check("p1")]).await?;
    let tasks = dispatch(&mut tx, "w", &["p1"], 5).await?;
    let expected = [subject(&made[0]), subject(&made[1]), Subject::Provider("p1".into())];
    assert_eq!(subjects(&tasks), expected.iter().collect::<Vec<_>>());
    Ok(())
}

async fn only_asked_providers(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[provider("p1", 2, None), provider("p2", 1, None)]).await?;
    tx.sync_templates(&"p2".into(), &[found("t")]).await?;
    let filter = TemplateFilter { provider: Some("p2".into()), ..TemplateFilter::default() };
    let on_p2 = tx.templates(&filter).await?.remove(0);
    let new: Vec<_> = ["x", "y"]
        .map(|name| NewAppliance { template: on_p2.clone(), ..world.new_appliance(name) })
        .into_iter()
        .chain([world.new_appliance("z")])
        .collect();
    let made = tx.insert_appliances(new).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    tx.insert_workflows(vec![check("p1"), check("p2")]).await?;
    assert!(dispatch(&mut tx, "w", &[], 9).await?.is_empty());
    let tasks = dispatch(&mut tx, "w", &["p2"], 9).await?;
    assert_eq!(subjects(&tasks), [&subject(&made[0]), &Subject::Provider("p2".into())]);
    let tasks = dispatch(&mut tx, "w", &["p2", "p1"], 9).await?;
    assert_eq!(subjects(&tasks), [&subject(&made[2]), &Subject::Provider("p1".into())]);
    Ok(())
}

async fn each_task_goes_to_one_worker(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let made = world.appliances(&mut tx, 40, ApplianceState::Ready).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Kill, appliance)).collect()).await?;
    tx.commit().await?;
    let claims = join_all((0..10).map(|_| async {
        let mut tx = world.write().await?;
        let tasks = dispatch(&mut tx, "w", &["p1"], 4).await?;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(tasks)
    }));
    let claimed: Vec<Vec<Task>> = claims.await.into_iter().collect::<Result<_>>()?;
    let tasks: Vec<_> = claimed.iter().flatten().map(|task| task.id).collect();
    assert_eq!((tasks.len(), tasks.iter().collect::<BTreeSet<_>>().len()), (40, 40));
    assert!(claimed.iter().flatten().all(|task| task.epoch == 1));
    Ok(())
}

async fn limits_hold_however_many_ask(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[provider("p1", 5, None)]).await?;
    let made = world.appliances(&mut tx, 30, ApplianceState::Requested).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    tx.commit().await?;
    let claims = join_all((0..10).map(|_| async {
        let mut tx = world.write().await?;
        let tasks = dispatch(&mut tx, "w", &["p1"], 3).await?;
        tokio::task::yield_now().await;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(tasks.len())
    }));
    let claimed: Vec<usize> = claims.await.into_iter().collect::<Result<_>>()?;
    assert_eq!(claimed.iter().sum::<usize>(), 5);
    Ok(())
}

async fn who_asks_meanwhile_gets_the_rest(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[provider("p1", 5, None)]).await?;
    let made = world.appliances(&mut tx, 9, ApplianceState::Requested).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    tx.commit().await?;

    let mut first = world.write().await?;
    assert_eq!(dispatch(&mut first, "w", &["p1"], 3).await?.len(), 3);
    let second = async {
        let mut tx = world.write().await?;
        let tasks = dispatch(&mut tx, "w", &["p1"], 3).await?;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(tasks)
    };
    let mut second = std::pin::pin!(second);
    let meanwhile = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
    assert!(meanwhile.is_err(), "slots were counted while others were being given out");
    first.commit().await?;
    assert_eq!(subjects(&second.await?), [3, 4].map(|n| subject(&made[n])).iter().collect::<Vec<_>>());
    Ok(())
}

/// Who kills has locked one task, and is about to lock another that is being given out: neither waits for the other.
async fn nobody_waits_for_what_is_about_to_be_killed(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let made = world.appliances(&mut tx, 2, ApplianceState::Requested).await?;
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &made[0]), workflow(WorkflowKind::Kill, &made[1])]).await?;
    tx.commit().await?;
    if world.db.kind() == Kind::Sqlite {
        return Ok(()); // writers follow one another
    }
    let mut killer = world.write().await?;
    killer.live_workflows(&[subject(&made[0])]).await?;
    let mut tx = world.write().await?;
    let given = timeout(Duration::from_secs(5), dispatch(&mut tx, "w", &["p1"], 9)).await??;
    assert_eq!(subjects(&given), [&subject(&made[1])]);
    tx.commit().await?;
    killer.commit().await?;
    let mut tx = world.write().await?;
    assert_eq!(subjects(&dispatch(&mut tx, "w", &["p1"], 9).await?), [&subject(&made[0])]);
    Ok(())
}
