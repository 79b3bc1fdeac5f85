//! Workers: the newest session counts, and silence is noticed where it matters.

use std::time::Duration;

use sprout_app::ports::{Claim, Tx, WorkerHello};
use sprout_domain::{Result, WorkerId, appliance::ApplianceState, workflow::WorkflowKind};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, keys, workflow};

on_each_database!(the_newest_session_counts, silence_matters_with_tasks);

pub(crate) async fn connect(tx: &mut Box<dyn Tx>, id: &str, session: &str) -> Result<()> {
    let drivers = vec!["container".to_owned(), "libvirt".to_owned()];
    let hello = WorkerHello { id: id.into(), version: "0.1.0".to_owned(), drivers, slots: u32::MAX };
    tx.worker_connected(&hello, session).await
}

async fn the_newest_session_counts(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w1", "s1").await?;
    connect(&mut tx, "w0", "s0").await?;
    connect(&mut tx, "w1", "s2").await?;
    tx.worker_disconnected(&"w1".into(), "s1").await?;
    let workers = tx.workers().await?;
    assert_eq!(workers.iter().map(|worker| &*worker.id.0).collect::<Vec<_>>(), ["w0", "w1"]);
    let worker = &workers[1];
    assert!(worker.connected);
    assert_eq!((worker.slots, worker.running_count, worker.last_heard_at), (u32::MAX, 0, tx.now()));
    assert_eq!(worker.drivers, ["container", "libvirt"]);
    tx.commit().await?;

    let mut tx = world.write().await?;
    let heard: [(WorkerId, String); 2] = [("w1".into(), "s1".to_owned()), ("w0".into(), "s0".to_owned())];
    tx.workers_heard(&heard).await?;
    tx.workers_heard(&[]).await?;
    tx.worker_disconnected(&"w1".into(), "s2").await?;
    let workers = tx.workers().await?;
    assert_eq!(workers[0].last_heard_at, tx.now());
    assert!(workers[1].last_heard_at < tx.now(), "an older session was taken for the newest");
    assert!(workers[0].connected && !workers[1].connected);
    Ok(())
}

async fn silence_matters_with_tasks(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w1", "s1").await?;
    connect(&mut tx, "idle", "s2").await?;
    let appliance = world.appliances(&mut tx, 1, ApplianceState::Requested).await?.remove(0);
    tx.insert_workflows(vec![workflow(WorkflowKind::Deploy, &appliance)]).await?;
    tx.claim_tasks(&Claim { worker: "w1".into(), providers: keys(&["p1"]), limit: 1 }).await?;
    assert_eq!(tx.silent_workers(Duration::ZERO).await?, ["w1".into()]);
    assert!(tx.silent_workers(Duration::from_secs(10)).await?.is_empty());
    assert!(tx.hold_silent(&"w1".into(), Duration::ZERO).await?);
    assert!(!tx.hold_silent(&"w1".into(), Duration::from_secs(10)).await?, "it was heard");
    assert_eq!(tx.workers().await?.iter().map(|worker| worker.running_count).collect::<Vec<_>>(), [0, 1]);
    Ok(())
}
