//! Jobs: which are due, and what became of their runs.

use std::time::Duration;

use sprout_domain::{
    Error, Reason, Result, Timestamp,
    job::{Job, JobRun, JobRunState, next_due},
};

use crate::{
    App, Term,
    ports::{NewJobRun, Page, Topic},
};

/// Runs of each job that are remembered.
const HISTORY: u64 = 200;

/// A job that this program can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSpec {
    /// Identity.
    pub name: &'static str,
    /// From one due time to the next.
    pub period: Duration,
}

/// A run that is the caller's to do, and nobody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueJob {
    /// The job.
    pub name: &'static str,
    /// The due time it is for.
    pub due_at: Timestamp,
    term: Term,
}

impl App {
    /// Makes jobs known that are not yet, and their periods.
    pub async fn set_jobs(&self, term: Term, specs: &[JobSpec]) -> Result<()> {
        let mut work = self.work().await?;
        if !work.hold(term).await? {
            return Ok(());
        }
        let now = work.tx.now();
        let jobs: Vec<_> =
            specs.iter().map(|spec| (spec.name.to_owned(), spec.period, next_due(now, spec.period))).collect();
        work.tx.sync_jobs(&jobs).await?;
        work.commit().await
    }

    /// Begins a run of each job that is due, and says how long it is until the next is. Due times that were missed count as one. What was begun
    /// before and did not end is lost: it is not run again for the same due time. So the caller must have ended its own runs.
    pub async fn begin_due_jobs(
        &self,
        term: Term,
        server: &str,
        specs: &[JobSpec],
    ) -> Result<(Vec<DueJob>, Option<Duration>)> {
        let mut work = self.work().await?;
        if !work.hold(term).await? {
            return Ok((Vec::new(), None));
        }
        let now = work.tx.now();
        let (mut begun, mut next) = (Vec::new(), None::<Timestamp>);
        work.tx.lose_job_runs(term.0).await?;
        for job in work.tx.jobs().await?.into_iter().filter(|job| !job.paused) {
            let Some(spec) = specs.iter().find(|spec| spec.name == job.name) else { continue };
            let next_due_at = if job.due_at > now { job.due_at } else { next_due(now, spec.period) };
            next = Some(next.map_or(next_due_at, |next| next.min(next_due_at)));
            if job.due_at > now {
                continue;
            }
            let run =
                NewJobRun { job: job.name, due_at: job.due_at, next_due_at, epoch: term.0, server: server.to_owned() };
            if work.tx.begin_job_run(&run).await? {
                work.tx.prune_job_runs(spec.name, HISTORY).await?;
                begun.push(DueJob { name: spec.name, due_at: job.due_at, term });
            }
        }
        work.commit().await?;
        Ok((begun, next.map(|at| (at - now).to_std().unwrap_or_default())))
    }

    /// Writes down how a run ended.
    pub async fn end_job(&self, job: &DueJob, outcome: &Result<()>) -> Result<()> {
        let (state, message) = match outcome {
            Ok(()) => (JobRunState::Done, String::new()),
            Err(error) => (JobRunState::Failed, error.message.clone()),
        };
        let mut work = self.work().await?;
        work.tx.end_job_run(job.name, job.due_at, job.term.0, state, &message).await?;
        work.commit().await
    }

    /// All jobs, by name.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        self.ports.store.read().await?.jobs().await
    }

    /// Runs of a job, the latest first.
    pub async fn job_runs(&self, job: &str, page: Page) -> Result<Vec<JobRun>> {
        self.ports.store.read().await?.job_runs(job, page).await
    }

    /// Has a job run now, paused ones when they are resumed.
    pub async fn run_job(&self, job: &str) -> Result<()> {
        let mut work = self.work().await?;
        let found = work.tx.set_job_due(job).await?;
        work.wake(Topic::Jobs);
        work.commit().await?;
        known(job, found)
    }

    /// Pauses a job, or resumes it: what was due meanwhile is run once.
    pub async fn pause_job(&self, job: &str, paused: bool) -> Result<()> {
        let mut work = self.work().await?;
        let found = work.tx.set_job_paused(job, paused).await?;
        work.wake(Topic::Jobs);
        work.commit().await?;
        known(job, found)
    }
}

fn known(job: &str, found: bool) -> Result<()> {
    let unknown =
        || Error::new(Reason::InvalidArgument, format!("there is no job {job}; list them to see their names"));
    if found { Ok(()) } else { Err(unknown()) }
}
