//! Jobs run once for each due time, whoever leads.

use std::time::Duration;

use sprout_app::{JobSpec, ports::Page};
use sprout_domain::{Error, job::JobRunState};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(a_due_time_is_run_once, a_replaced_leader_begins_nothing);

const JOBS: [JobSpec; 2] = [
    JobSpec { name: "often", period: Duration::from_millis(1500) },
    JobSpec { name: "seldom", period: Duration::from_secs(1_000_000_000) },
];

async fn a_due_time_is_run_once(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let app = &world.app;
    let term = app.lead("one").await?.unwrap();
    app.set_jobs(term, &JOBS).await?;
    let (begun, next) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(begun.iter().map(|due| due.name).collect::<Vec<_>>(), ["often", "seldom"], "new ones are due at once");
    assert!(next.is_some_and(|next| next <= JOBS[0].period), "{next:?}");
    app.end_job(&begun[0], &Ok(())).await?;
    app.end_job(&begun[1], &Err(Error::internal("secret"))).await?;
    app.set_jobs(term, &JOBS).await?;
    app.pause_job("seldom", true).await?;
    app.run_job("seldom").await?;
    assert!(app.run_job("never heard of").await.is_err());

    // Several due times pass, with nobody there: that is one run.
    tokio::time::sleep(JOBS[0].period * 3).await;
    let (begun, _) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(begun.iter().map(|due| due.name).collect::<Vec<_>>(), ["often"], "the other is paused");
    app.end_job(&begun[0], &Ok(())).await?;
    app.pause_job("seldom", false).await?;
    let (begun, _) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert!(begun.iter().any(|due| due.name == "seldom"), "it was to be run by hand: {begun:?}");

    let page = Page { before: None, limit: 10 };
    let runs = app.job_runs("seldom", page).await?;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [JobRunState::Running, JobRunState::Failed]);
    assert!(!runs[1].message.contains("secret") && !runs[1].message.is_empty(), "{runs:?}");
    // Whoever looks next knows that nobody runs it any more; it is not run again for that time.
    app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(app.job_runs("seldom", page).await?[0].state, JobRunState::Lost);
    Ok(())
}

async fn a_replaced_leader_begins_nothing(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let app = &world.app;
    let first = app.lead("one").await?.unwrap();
    app.set_jobs(first, &JOBS).await?;
    let (begun, _) = app.begin_due_jobs(first, "one", &JOBS).await?;
    app.step_down("one").await?;
    let second = app.lead("two").await?.unwrap();
    assert_ne!(first, second);
    app.run_job("seldom").await?;
    assert_eq!(app.begin_due_jobs(first, "one", &JOBS).await?, (vec![], None));
    let (again, _) = app.begin_due_jobs(second, "two", &JOBS).await?;
    assert!(again.iter().any(|due| due.name == "seldom"));
    // What the first one says of its run now is not taken: it was given up.
    app.end_job(&begun[1], &Ok(())).await?;
    let runs = app.job_runs("seldom", Page { before: None, limit: 10 }).await?;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [JobRunState::Running, JobRunState::Lost]);
    assert_eq!((runs[0].server.as_str(), runs[1].server.as_str()), ("two", "one"));
    Ok(())
}
