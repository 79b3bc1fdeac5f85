//! Jobs run once for each due time, whoever leads.

use std::time::Duration;

use sprout_app::{
    JobSpec,
    ports::{EventFilter, Page, Store as _},
};
use sprout_domain::{Error, Reason, event::EventKind, job::JobRunState};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(a_due_time_is_run_once, a_replaced_leader_begins_nothing);

const JOBS: [JobSpec; 2] = [
    JobSpec { name: "often", description: "x", period: Duration::from_millis(1500) },
    JobSpec { name: "seldom", description: "y", period: Duration::from_secs(1_000_000_000) },
];

async fn a_due_time_is_run_once(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let app = &world.app;
    let term = app.lead("one").await?.unwrap();
    app.set_jobs(term, &JOBS).await?;
    let (begun, next) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(begun.iter().map(|due| due.name).collect::<Vec<_>>(), ["often", "seldom"], "new ones are due at once");
    assert!(next.is_some_and(|next| next <= JOBS[0].period), "{next:?}");
    app.end_job(&begun[0], &Ok("did it".to_owned())).await?;
    app.end_job(&begun[1], &Err(Error::internal("secret"))).await?;
    app.set_jobs(term, &JOBS).await?;
    app.pause_job("seldom", true).await?;
    for unknown in [app.run_job("?").await.err(), app.job_runs("?", Page { before: None, limit: 1 }).await.err()] {
        assert_eq!(unknown.unwrap().reason, Reason::JobNotFound);
    }

    // Several due times pass, with nobody there: that is one run.
    tokio::time::sleep(JOBS[0].period * 3).await;
    let (begun, _) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(begun.iter().map(|due| due.name).collect::<Vec<_>>(), ["often"], "the other is paused");
    app.end_job(&begun[0], &Ok("did it".to_owned())).await?;

    // By hand it runs although it is paused; asked for twice, once.
    app.run_job("seldom").await?;
    let (job, last) = app.run_job("seldom").await?;
    assert!(job.paused && job.asked && last.unwrap().state == JobRunState::Failed);
    let (begun, _) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert!(begun.iter().any(|due| due.name == "seldom"), "it was to be run by hand: {begun:?}");
    let (begun, _) = app.begin_due_jobs(term, "one", &JOBS).await?;
    assert!(!begun.iter().any(|due| due.name == "seldom"), "{begun:?}");
    app.run_job("seldom").await?;
    app.begin_due_jobs(term, "one", &JOBS).await?;
    let (job, _) = app.pause_job("seldom", false).await?;
    assert!(!job.paused && !job.asked);

    let page = Page { before: None, limit: 10 };
    let runs = app.job_runs("seldom", page).await?;
    assert_eq!(
        runs.iter().map(|run| run.state).collect::<Vec<_>>(),
        [JobRunState::Running, JobRunState::Lost, JobRunState::Failed]
    );
    assert!(!runs[2].message.contains("secret") && !runs[2].message.is_empty(), "{runs:?}");
    // Whoever looks next knows that nobody runs it any more; it is not run again for that time.
    app.begin_due_jobs(term, "one", &JOBS).await?;
    assert_eq!(app.job_runs("seldom", page).await?[0].state, JobRunState::Lost);
    let jobs = app.jobs().await?;
    let (often, last) = &jobs[0];
    assert_eq!((&*often.name, &*often.description, last.is_some()), ("often", "x", true));
    assert!(app.job_runs("often", page).await?.iter().any(|run| run.message == "did it"));
    let events = world.database.store().read().await?.events_after(0, &EventFilter::default(), 1000).await?;
    let ran = events.iter().filter(|event| event.fact.kind == EventKind::JobRun).count();
    assert_eq!(ran, 1, "what was lost, and what is done often and went well, says nothing: {events:?}");
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
    app.end_job(&begun[1], &Ok("did it".to_owned())).await?;
    let runs = app.job_runs("seldom", Page { before: None, limit: 10 }).await?;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [JobRunState::Running, JobRunState::Lost]);
    assert_eq!((runs[0].server.as_str(), runs[1].server.as_str()), ("two", "one"));
    Ok(())
}
