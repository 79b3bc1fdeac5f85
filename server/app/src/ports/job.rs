//! Leadership and jobs, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{
    Result, Timestamp,
    job::{Job, JobRun, JobRunState},
};

use super::Page;

/// Which server leads.
#[async_trait]
pub trait LeadershipRows: Send {
    /// Takes the leadership if nobody has it, and keeps it if it is the holder's, for this long from now. Returns its epoch, which rises with
    /// every other holder; none while someone else has it. On SQLite there is nobody else, and who asks gets it.
    async fn lead(&mut self, name: &str, holder: &str, lease: Duration) -> Result<Option<i64>>;

    /// Whether nobody took the leadership over since this epoch; if so, nobody does until the transaction ends.
    async fn hold_leadership(&mut self, name: &str, epoch: i64) -> Result<bool>;

    /// Waits until no other transaction does the thing of this name, and keeps others from it until this one ends.
    async fn take_turn(&mut self, name: &str) -> Result<()>;

    /// Gives the leadership up, if it is the holder's.
    async fn step_down(&mut self, name: &str, holder: &str) -> Result<()>;
}

/// A run of a job that begins now.
#[derive(Debug, Clone)]
pub struct NewJobRun {
    /// The job.
    pub job: String,
    /// For which due time.
    pub due_at: Timestamp,
    /// When the job is due next.
    pub next_due_at: Timestamp,
    /// In which epoch of the leadership.
    pub epoch: i64,
    /// The server that runs it.
    pub server: String,
}

/// A job that a server can run.
#[derive(Debug, Clone)]
pub struct KnownJob {
    /// Identity.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// From one due time to the next.
    pub period: Duration,
    /// When it is due next by this period.
    pub next_due_at: Timestamp,
}

/// Jobs and their runs.
#[async_trait]
pub trait JobRows: Send {
    /// Inserts the jobs that are missing, due now, and sets the periods and descriptions of the others; one whose period changed is due at the
    /// moment given, its next by the new period, unless it is due sooner. Jobs of other releases stay as they are.
    async fn sync_jobs(&mut self, jobs: &[KnownJob]) -> Result<()>;

    /// All jobs, by name.
    async fn jobs(&mut self) -> Result<Vec<Job>>;

    /// The last run of each job that ever ran.
    async fn last_job_runs(&mut self) -> Result<Vec<JobRun>>;

    /// Begins a run, which nobody needs to ask for any more, and sets when the job is due next; false, and nothing happens, if the due time had its run already.
    async fn begin_job_run(&mut self, run: &NewJobRun) -> Result<bool>;

    /// Ends a run that this epoch began; false, and nothing happens, if it was given up as lost.
    async fn end_job_run(
        &mut self,
        job: &str,
        due_at: Timestamp,
        epoch: i64,
        state: JobRunState,
        message: &str,
    ) -> Result<bool>;

    /// Gives up the runs that this epoch and earlier ones began and did not end.
    async fn lose_job_runs(&mut self, epoch: i64) -> Result<()>;

    /// Deletes runs of a job but for the latest `keep`.
    async fn prune_job_runs(&mut self, job: &str, keep: u64) -> Result<()>;

    /// Makes a job due now, also if it is paused; false if there is none of this name.
    async fn set_job_due(&mut self, job: &str) -> Result<bool>;

    /// Pauses or resumes a job; false if there is none of this name.
    async fn set_job_paused(&mut self, job: &str, paused: bool) -> Result<bool>;

    /// Runs of a job, the latest first.
    async fn job_runs(&mut self, job: &str, page: Page) -> Result<Vec<JobRun>>;
}
