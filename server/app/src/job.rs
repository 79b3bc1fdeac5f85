//! Jobs: which are due, and what became of their runs.

use std::{collections::BTreeMap, time::Duration};

use sprout_domain::{
    Error, Reason, Result, Timestamp,
    event::{EventKind, NewEvent},
    job::{Job, JobRun, JobRunState, next_due},
};

use crate::{
    App, Term,
    ports::{KnownJob, NewJobRun, Page, Topic},
    work::{Work, repeated},
};

/// Runs of each job that are remembered.
const HISTORY: u64 = 200;
/// What runs more often than this is no event each time.
const ROUTINE: Duration = Duration::from_secs(120);

/// A job that this program can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSpec {
    /// Identity.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
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
    /// Someone asked for it.
    pub by_hand: bool,
    /// It runs so often that only what goes wrong is an event.
    routine: bool,
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
        let known = |spec: &JobSpec| KnownJob {
            name: spec.name.to_owned(),
            description: spec.description.to_owned(),
            period: spec.period,
            next_due_at: next_due(now, spec.period),
        };
        let jobs: Vec<_> = specs.iter().map(known).collect();
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
        for job in work.tx.jobs().await?.into_iter().filter(Job::is_awaited) {
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
                let routine = spec.period < ROUTINE && !job.asked;
                begun.push(DueJob { name: spec.name, due_at: job.due_at, by_hand: job.asked, routine, term });
            }
        }
        work.commit().await?;
        Ok((begun, next.map(|at| (at - now).to_std().unwrap_or_default())))
    }

    /// Writes down how a run ended: what it did, or why it failed. Nothing happens if it was given up as lost.
    pub async fn end_job(&self, job: &DueJob, outcome: &Result<String>) -> Result<()> {
        let (state, message) = match outcome {
            Ok(did) => (JobRunState::Done, did.as_str()),
            Err(error) => (JobRunState::Failed, error.message.as_str()),
        };
        let mut work = self.work().await?;
        let ended = work.tx.end_job_run(job.name, job.due_at, job.term.0, state, message).await?;
        if ended && !(job.routine && outcome.is_ok()) {
            let says = if message.is_empty() { state.as_str() } else { message };
            work.emit(NewEvent {
                state: Some(state.as_str().to_owned()),
                ..NewEvent::new(EventKind::JobRun, format!("job {}: {says}", job.name))
            });
        }
        work.commit().await
    }

    /// All jobs, by name, each with its last run.
    pub async fn jobs(&self) -> Result<Vec<(Job, Option<JobRun>)>> {
        let mut tx = self.ports.store.read().await?;
        let jobs = tx.jobs().await?;
        let mut last: BTreeMap<_, _> =
            tx.last_job_runs().await?.into_iter().map(|run| (run.job.clone(), run)).collect();
        Ok(jobs
            .into_iter()
            .map(|job| {
                let run = last.remove(&job.name);
                (job, run)
            })
            .collect())
    }

    /// Runs of a job, the latest first.
    pub async fn job_runs(&self, job: &str, page: Page) -> Result<Vec<JobRun>> {
        let mut tx = self.ports.store.read().await?;
        if !tx.jobs().await?.iter().any(|known| known.name == job) {
            return Err(unknown(job));
        }
        tx.job_runs(job, page).await
    }

    /// Has a job run now, also a paused one. Whoever leads runs it. Asked for again before it began, it runs once.
    pub async fn run_job(&self, job: &str) -> Result<(Job, Option<JobRun>)> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let found = work.tx.set_job_due(job).await?;
            changed(work, job, found).await
        })
        .await
    }

    /// Pauses a job, or resumes it: what was due meanwhile is run once.
    pub async fn pause_job(&self, job: &str, paused: bool) -> Result<(Job, Option<JobRun>)> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let found = work.tx.set_job_paused(job, paused).await?;
            changed(work, job, found).await
        })
        .await
    }
}

/// Commits a change of a job, if there is one of this name; returns it as it is now.
async fn changed(mut work: Work, name: &str, found: bool) -> Result<(Job, Option<JobRun>)> {
    if !found {
        return Err(unknown(name));
    }
    let job = work.tx.jobs().await?.into_iter().find(|job| job.name == name);
    let last = work.tx.last_job_runs().await?.into_iter().find(|run| run.job == name);
    work.wake(Topic::Jobs);
    work.commit().await?;
    Ok((job.ok_or_else(|| Error::internal("a job vanished"))?, last))
}

fn unknown(job: &str) -> Error {
    let message = format!("there is no job {job}; `sproutctl job list` shows their names");
    Error::new(Reason::JobNotFound, message)
}
