//! Fairness between owners, as the queue serves it. The rules are the domain's; here they meet the database.

use std::sync::atomic::{AtomicU32, Ordering};

use sprout_app::ports::{NewWorkflow, Tx};
use sprout_domain::{
    Result, UserId,
    user::Role,
    workflow::{Subject, Task, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, ended, give, provider};

on_each_database!(a_few_do_not_wait_behind_many, portions_gain_nothing, what_waits_elsewhere_gives_no_advantage);

/// Two users, and a provider with room for all.
async fn world(db: TestDatabase) -> anyhow::Result<(World, Box<dyn Tx>, [UserId; 2])> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let ben = tx.insert_user("ben", "hash", Role::User).await?.id;
    tx.sync_providers(&[provider("p1", 1000, None), provider("p2", 1000, None)]).await?;
    let ann = world.user.id;
    Ok((world, tx, [ann, ben]))
}

/// Somebody asks for so many deployments.
async fn ask(world: &World, tx: &mut Box<dyn Tx>, owner: UserId, count: u32) -> Result<()> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = |_| format!("a{}", MADE.fetch_add(1, Ordering::Relaxed));
    let new = (0..count).map(|n| world.new_appliance(&name(n))).collect();
    let made = tx.insert_appliances(new).await?;
    let deploy = |id| NewWorkflow {
        owner_id: Some(owner),
        ..NewWorkflow::new(WorkflowKind::Deploy, Subject::Appliance(id), Some("p1".into()))
    };
    tx.insert_workflows(made.iter().map(|appliance| deploy(appliance.id)).collect()).await.map(drop)
}

/// Whose are the next ones?
async fn next(tx: &mut Box<dyn Tx>, count: u32) -> Result<Vec<UserId>> {
    let mut owners = Vec::new();
    for task in give(tx, "w1", count).await? {
        owners.extend(tx.workflow(task.workflow_id).await?.and_then(|workflow| workflow.owner_id));
    }
    Ok(owners)
}

async fn a_few_do_not_wait_behind_many(db: TestDatabase) -> anyhow::Result<()> {
    let (world, mut tx, [ann, ben]) = world(db).await?;
    ask(&world, &mut tx, ann, 200).await?;
    assert_eq!(next(&mut tx, 10).await?, [ann; 10]);
    ask(&world, &mut tx, ben, 2).await?;
    assert_eq!(next(&mut tx, 6).await?, [ann, ben, ann, ben, ann, ann]);
    ask(&world, &mut tx, ben, 1).await?;
    assert_eq!(next(&mut tx, 2).await?, [ann, ben]);
    Ok(())
}

async fn portions_gain_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let (world, mut tx, [ann, ben]) = world(db).await?;
    ask(&world, &mut tx, ann, 20).await?;
    for _ in 0..20 {
        ask(&world, &mut tx, ben, 1).await?;
    }
    let first = next(&mut tx, 20).await?;
    assert!((9..=11).contains(&first.iter().filter(|owner| **owner == ben).count()), "{first:?}");
    Ok(())
}

/// Turns are of one provider, and nothing is left of them once nothing is under way.
async fn what_waits_elsewhere_gives_no_advantage(db: TestDatabase) -> anyhow::Result<()> {
    let (world, mut tx, [ann, ben]) = world(db).await?;
    let stuck = NewWorkflow {
        owner_id: Some(ann),
        ..NewWorkflow::new(WorkflowKind::Ping, Subject::Nothing, Some("p2".into()))
    };
    tx.insert_workflows(vec![stuck; 5]).await?;
    ask(&world, &mut tx, ann, 30).await?;
    let given: Vec<Task> = give(&mut tx, "w1", 30).await?;
    let all: Vec<_> = given.iter().map(|task| ended(task.workflow_id, WorkflowState::Succeeded, "")).collect();
    tx.end_workflows(&all).await?;
    ask(&world, &mut tx, ben, 3).await?;
    ask(&world, &mut tx, ann, 3).await?;
    assert_eq!(next(&mut tx, 6).await?, [ben, ann, ben, ann, ben, ann]);
    Ok(())
}
