//! Leadership is one server's at a time, and a due time is one run's.

use std::time::Duration;

use sprout_app::ports::{KnownJob, NewJobRun, Page, Tx};
use sprout_domain::{
    Timestamp,
    job::{JobRunState, next_due},
};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::world::World;

on_each_database!(
    leadership_passes_on_and_its_epoch_fences,
    nobody_takes_over_what_is_held,
    a_due_time_has_one_run,
    history_is_bounded_and_what_did_not_end_is_lost
);

const LEASE: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3600);

async fn lead(world: &World, holder: &str) -> anyhow::Result<Option<i64>> {
    let mut tx = world.write().await?;
    let epoch = tx.lead("x", holder, LEASE).await?;
    tx.commit().await?;
    Ok(epoch)
}

async fn holds(world: &World, epoch: i64) -> anyhow::Result<bool> {
    Ok(world.write().await?.hold_leadership("x", epoch).await?)
}

async fn leadership_passes_on_and_its_epoch_fences(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    assert_eq!(lead(&world, "a").await?, Some(1));
    assert_eq!(lead(&world, "a").await?, Some(1), "a renewal is no new epoch");
    let until_free = async || {
        for _ in 0..200 {
            if let Some(epoch) = lead(&world, "b").await? {
                return anyhow::Ok(epoch);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the leadership never ended")
    };
    if world.db.kind() == Kind::Postgres {
        assert_eq!(lead(&world, "b").await?, None, "it is another's");
        assert!(holds(&world, 1).await?);
    }
    assert_eq!(until_free().await?, 2);
    assert!(!holds(&world, 1).await? && holds(&world, 2).await?);
    let mut tx = world.write().await?;
    tx.step_down("x", "a").await?; // not a's to give up
    tx.step_down("x", "b").await?;
    tx.commit().await?;
    assert_eq!(lead(&world, "c").await?, Some(3), "given up, it is free at once");
    assert_eq!(world.write().await?.lead("y", "a", LEASE).await?, Some(1), "another thing has another leader");
    Ok(())
}

async fn nobody_takes_over_what_is_held(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    if world.db.kind() == Kind::Sqlite {
        return Ok(()); // one writer at a time, and no other process
    }
    lead(&world, "a").await?;
    let mut job = world.write().await?;
    assert!(job.hold_leadership("x", 1).await?);
    tokio::time::sleep(LEASE * 2).await; // it was paused for longer than its lease
    let mut other = world.write().await?;
    let overtaking = tokio::time::timeout(LEASE, other.lead("x", "b", LEASE)).await;
    assert!(overtaking.is_err(), "taken over under a transaction that holds it");
    drop(other);
    job.commit().await?;
    assert_eq!(lead(&world, "b").await?, Some(2));
    assert!(!holds(&world, 1).await?, "from here on the first one does nothing more");
    Ok(())
}

fn run(due_at: Timestamp, epoch: i64) -> NewJobRun {
    NewJobRun { job: "j".to_owned(), due_at, next_due_at: next_due(due_at, HOUR), epoch, server: "s".to_owned() }
}

async fn known(tx: &mut Box<dyn Tx>, period: Duration) -> anyhow::Result<()> {
    let next = next_due(tx.now(), period);
    Ok(tx
        .sync_jobs(&[KnownJob { name: "j".to_owned(), description: "d".to_owned(), period, next_due_at: next }])
        .await?)
}

async fn a_due_time_has_one_run(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    known(&mut tx, HOUR).await?;
    let due_at = tx.jobs().await?[0].due_at;
    assert_eq!(due_at, tx.now(), "a new job is due at once");
    assert!(tx.begin_job_run(&run(due_at, 1)).await?);
    assert!(!tx.begin_job_run(&run(due_at, 2)).await?);
    let job = tx.jobs().await?.remove(0);
    assert_eq!((job.last_due_at, job.due_at), (Some(due_at), next_due(due_at, HOUR)));

    known(&mut tx, Duration::from_secs(60)).await?;
    assert!(tx.jobs().await?[0].due_at <= job.due_at, "a shorter period does not wait for the end of a longer one");
    tx.set_job_paused("j", true).await?;
    assert!(tx.set_job_due("j").await? && !tx.set_job_due("k").await?);
    known(&mut tx, HOUR).await?;
    let job = tx.jobs().await?.remove(0);
    assert_eq!((job.paused, job.due_at, job.period), (true, tx.now(), HOUR), "periods are set, the rest stays");
    Ok(())
}

async fn history_is_bounded_and_what_did_not_end_is_lost(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    known(&mut tx, HOUR).await?;
    let mut due_at = tx.now();
    for n in 0..10 {
        assert!(tx.begin_job_run(&run(due_at, 1)).await?);
        if n < 8 {
            tx.end_job_run("j", due_at, 1, JobRunState::Failed, "why").await?;
        }
        due_at = next_due(due_at, HOUR);
    }
    tx.lose_job_runs(1).await?;
    tx.end_job_run("j", next_due(tx.now(), HOUR), 1, JobRunState::Done, "").await?;
    tx.prune_job_runs("j", 4).await?;
    let runs = tx.job_runs("j", Page { before: None, limit: 100 }).await?;
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [JobRunState::Lost, JobRunState::Lost, JobRunState::Failed, JobRunState::Failed]);
    assert!(runs[0].due_at > runs[1].due_at && runs[0].finished_at.is_some() && runs[3].message == "why");
    let older = tx.job_runs("j", Page { before: Some(runs[1].id), limit: 1 }).await?;
    assert_eq!(older, runs[2..3]);
    Ok(())
}
