//! The scheduler: runs jobs when they are due, while this server leads.
//!
//! Ticks come from tokio-cron-scheduler, by this machine's clock. They only say when to look: what is due is decided by the database and its
//! clock, where each due time is given to one run.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use sprout_app::{App, DueJob, JobSpec, Term, ports::Topic};
use sprout_domain::{Error, Result};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_cron_scheduler::{Job as Tick, JobScheduler, JobSchedulerError};

use crate::driver::{Activity, Loop};

/// One run may take this long: less than a look at what is due may.
const LIMIT: Duration = Duration::from_secs(50);
/// Every second.
const TICK: &str = "* * * * * *";

/// A periodical activity.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// Its name and period.
    fn spec(&self) -> JobSpec;

    /// Does what there is to do, and says what it did. Idempotent: what a run that was lost left undone, the next one does.
    async fn run(&self) -> Result<String>;

    /// The same, where someone asked for it and takes the responsibility.
    async fn run_by_hand(&self) -> Result<String> {
        self.run().await
    }
}

/// Runs what is due.
pub(crate) struct Jobs {
    app: Arc<App>,
    server: Arc<str>,
    leading: watch::Receiver<Option<Term>>,
    every: Vec<Box<dyn Job>>,
    /// The term in which they were made known.
    known: Option<Term>,
    /// Runs whose end could not be written down yet.
    ended: Vec<(DueJob, Result<String>)>,
    next: watch::Sender<Option<Instant>>,
}

impl Jobs {
    pub(crate) fn new(
        app: Arc<App>,
        server: Arc<str>,
        leading: watch::Receiver<Option<Term>>,
        every: Vec<Box<dyn Job>>,
    ) -> Self {
        Self { app, server, leading, every, known: None, ended: Vec::new(), next: watch::Sender::new(None) }
    }

    /// Begins to tick: wakes this activity when something is due. Shut it down in the end.
    pub(crate) async fn scheduler(&self) -> Result<JobScheduler, JobSchedulerError> {
        let mut scheduler = JobScheduler::new().await?;
        scheduler.init().await?;
        let (app, leading, next) = (self.app.clone(), self.leading.clone(), self.next.subscribe());
        let tick = Tick::new(TICK, move |_, _| {
            if leading.borrow().is_some() && next.borrow().is_some_and(|next| next <= Instant::now()) {
                app.bus().publish(&[Topic::Jobs]);
            }
        })?;
        scheduler.add(tick).await?;
        scheduler.start().await?;
        Ok(scheduler)
    }

    async fn end_all(&mut self) -> Result<()> {
        while let Some((job, outcome)) = self.ended.last() {
            self.app.end_job(job, outcome).await?;
            self.ended.pop();
        }
        Ok(())
    }

    /// Runs one job to its end.
    async fn outcome(&self, due: &DueJob) -> Result<String> {
        let Some(job) = self.every.iter().find(|job| job.spec().name == due.name) else {
            return Err(Error::internal("a job that is not known here"));
        };
        let late = || Error::internal(format!("not done within {} s", LIMIT.as_secs()));
        let run = if due.by_hand { job.run_by_hand() } else { job.run() };
        let outcome = timeout(LIMIT, run).await.unwrap_or_else(|_| Err(late()));
        if let Err(error) = &outcome {
            tracing::warn!(job = due.name, due_at = %due.due_at, %error, "a job failed; it runs again when it is due next");
        }
        outcome
    }
}

#[async_trait]
impl Activity for Jobs {
    fn when(&self) -> Loop {
        Loop { name: "jobs", period: Duration::from_secs(30), topic: Some(Topic::Jobs), rest: Duration::ZERO }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        let Some(term) = *self.leading.borrow() else { return Ok(None) };
        let specs: Vec<_> = self.every.iter().map(|job| job.spec()).collect();
        if self.known != Some(term) {
            self.app.set_jobs(term, &specs).await?;
            self.known = Some(term);
        }
        self.end_all().await?;
        let (due, next) = self.app.begin_due_jobs(term, &self.server, &specs).await?;
        self.next.send_replace(next.and_then(|next| Instant::now().checked_add(next)));
        let outcomes = join_all(due.iter().map(|due| self.outcome(due))).await;
        self.ended.extend(due.into_iter().zip(outcomes));
        self.end_all().await?;
        // What got due meanwhile, and was not told for it was not next, is looked for at once.
        let passed = self.next.borrow().is_some_and(|next| next <= Instant::now());
        Ok(passed.then_some(Duration::ZERO))
    }
}
