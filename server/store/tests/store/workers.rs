//! Workers: the newest session counts, and silence is noticed where it matters.

use std::time::Duration;

use sprout_app::ports::{Heard, SessionRow, Tx, WorkerHello};
use sprout_domain::{
    Result, WorkerId,
    appliance::ApplianceState,
    lease,
    worker::Slots,
    workflow::{Lane, WorkflowKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, give, workflow};

on_each_database!(
    the_newest_session_counts,
    silence_matters_with_tasks,
    what_a_worker_says_of_itself_is_kept,
    drained_and_leaving_workers_are_not_held,
    a_removed_worker_is_forgotten_but_by_its_tasks,
);

fn hello(id: &str) -> WorkerHello {
    WorkerHello {
        id: id.into(),
        version: "0.1.0".to_owned(),
        drivers: vec!["container".to_owned(), "libvirt".to_owned()],
        slots: Slots { shared: u32::MAX, lanes: [(Lane::Kill, 4), (Lane::Maintain, 1)].into() },
        labels: [("zone", "b=c"), ("empty", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        leaving: false,
    }
}

pub(crate) async fn connect(tx: &mut Box<dyn Tx>, id: &str, session: &str) -> Result<()> {
    tx.worker_connected(&hello(id), session).await.map(drop)
}

fn heard(id: &str, session: &str) -> Heard {
    Heard { worker: id.into(), session: session.to_owned(), ago: Duration::from_millis(5) }
}

fn open(id: &str, session: &str) -> (WorkerId, String) {
    (id.into(), session.to_owned())
}

async fn the_newest_session_counts(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w1", "s1").await?;
    connect(&mut tx, "w0", "s0").await?;
    connect(&mut tx, "w1", "s2").await?;
    tx.worker_disconnected(&"w1".into(), "s1").await?;
    let workers = tx.workers(None).await?;
    assert_eq!(workers.iter().map(|worker| &*worker.id.0).collect::<Vec<_>>(), ["w0", "w1"]);
    let worker = &workers[1];
    assert!(worker.connected);
    assert_eq!((worker.running_count, worker.last_heard_at), (0, tx.now()));
    assert_eq!(tx.workers(Some(&"w1".into())).await?, workers[1..]);
    tx.commit().await?;
    tokio::time::sleep(Duration::from_millis(20)).await; // longer than it was not heard below

    let mut tx = world.write().await?;
    assert_eq!(tx.workers_heard(&[heard("w1", "s1"), heard("w0", "s0"), heard("x", "s")]).await?, ["w0".into()]);
    assert!(tx.workers_heard(&[]).await?.is_empty());
    tx.worker_disconnected(&"w1".into(), "s2").await?;
    let workers = tx.workers(None).await?;
    assert_eq!(workers[0].last_heard_at, lease::begin(tx.now(), Duration::from_millis(5)));
    assert_eq!(workers[1].last_heard_at, worker.last_heard_at, "an older session was taken for the newest");
    assert!(workers[0].connected && !workers[1].connected);
    let row = |id: &str, session: &str| SessionRow { worker: id.into(), session: session.to_owned(), drained: false };
    let all = ["w0".into(), "w1".into(), "x".into()];
    assert_eq!(tx.sessions(&all).await?, [row("w0", "s0"), row("w1", "s2")]);
    Ok(())
}

async fn silence_matters_with_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w1", "s1").await?;
    connect(&mut tx, "idle", "s2").await?;
    assert_eq!(tx.longest_silent_since().await?, None);
    let appliance = world.appliances(&mut tx, 1, ApplianceState::Requested).await?.remove(0);
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    give(&mut tx, "w1", 1).await?;
    let long = Duration::from_secs(10);
    assert_eq!(tx.silent_workers(Duration::ZERO, long).await?, ["w1".into()]);
    assert!(tx.silent_workers(long, long).await?.is_empty());
    assert_eq!(tx.silent_workers(long, Duration::ZERO).await?, ["idle".into(), "w1".into()]);
    assert!(tx.worker_disconnected(&"idle".into(), "s2").await?);
    assert!(!tx.worker_disconnected(&"idle".into(), "s2").await?);
    assert_eq!(tx.silent_workers(long, Duration::ZERO).await?, ["w1".into()]);
    assert!(tx.hold_silent(&"w1".into(), Duration::ZERO).await?);
    assert!(!tx.hold_silent(&"w1".into(), Duration::from_secs(10)).await?, "it was heard");
    assert_eq!(tx.longest_silent_since().await?, Some(tx.now()));
    assert_eq!(tx.workers(None).await?.iter().map(|worker| worker.running_count).collect::<Vec<_>>(), [0, 1]);
    Ok(())
}

async fn what_a_worker_says_of_itself_is_kept(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    assert!(!tx.worker_connected(&hello("w"), "s").await?, "it was not drained");
    let worker = tx.workers(Some(&"w".into())).await?.remove(0);
    let said = hello("w");
    assert_eq!(
        (worker.version, worker.drivers, worker.slots, worker.labels),
        (said.version, said.drivers, said.slots, said.labels)
    );
    Ok(())
}

async fn drained_and_leaving_workers_are_not_held(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    for id in ["a", "b", "c", "d"] {
        connect(&mut tx, id, "s").await?;
    }
    assert!(tx.set_drained(&"b".into(), true).await?);
    assert!(!tx.set_drained(&"nobody".into(), true).await?);
    assert!(tx.worker_leaving(&"c".into(), "s").await?);
    assert!(!tx.worker_leaving(&"d".into(), "older").await?);
    let all = [open("d", "s"), open("c", "s"), open("b", "s"), open("a", "older"), open("a", "s")];
    assert_eq!(tx.hold_sessions(&all).await?, ["a".into(), "d".into()]);
    assert!(tx.worker_connected(&hello("b"), "s2").await?, "a drain outlives sessions");
    assert!(!tx.worker_connected(&hello("c"), "s2").await?);
    assert_eq!(tx.hold_sessions(&[open("b", "s2"), open("c", "s2")]).await?, ["c".into()], "leaving does not");
    Ok(())
}

async fn a_removed_worker_is_forgotten_but_by_its_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    let appliance = world.appliances(&mut tx, 1, ApplianceState::Requested).await?.remove(0);
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    let task = give(&mut tx, "w", 1).await?.remove(0);
    assert!(tx.lock_worker(&"w".into()).await?);
    tx.delete_worker(&"w".into()).await?;
    assert!(!tx.lock_worker(&"w".into()).await? && tx.workers(None).await?.is_empty());
    assert_eq!(tx.lock_tasks(&[task.id]).await?[0].worker, Some("w".into()), "who had it last");
    Ok(())
}
