//! Jobs and their runs as they are shown.

use serde::Serialize;
use sprout_client::proto::job::{Job, JobRun, JobRunState};

use super::{Card, Row, facts, lower, some, time};

/// One job.
#[derive(Debug, Serialize)]
pub(crate) struct JobView {
    name: String,
    description: String,
    period_seconds: Option<i64>,
    paused: bool,
    due_at: Option<String>,
    last_run: Option<JobRunView>,
}

/// One run of a job.
#[derive(Debug, Serialize)]
pub(crate) struct JobRunView {
    id: u64,
    job: String,
    state: String,
    message: String,
    server: String,
    due_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            name: job.name,
            description: job.description,
            period_seconds: time::seconds(job.period),
            paused: job.paused,
            due_at: time::rfc3339(job.due_at),
            last_run: job.last_run.map(JobRunView::from),
        }
    }
}

impl From<JobRun> for JobRunView {
    fn from(run: JobRun) -> Self {
        Self {
            id: run.id,
            job: run.job,
            state: lower(run.state, JobRunState::as_str_name, "JOB_RUN_STATE_"),
            message: run.message,
            server: run.server,
            due_at: time::rfc3339(run.due_at),
            started_at: time::rfc3339(run.started_at),
            finished_at: time::rfc3339(run.finished_at),
        }
    }
}

impl JobView {
    fn period(&self) -> String {
        let seconds = self.period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or_else(|| "-".to_owned(), time::rough)
    }

    fn due(&self) -> String {
        if self.paused {
            return "paused".to_owned();
        }
        time::relative(self.due_at.as_ref()).unwrap_or_else(|| "-".to_owned())
    }

    fn last(&self) -> Option<String> {
        let run = self.last_run.as_ref()?;
        let when = time::relative(run.started_at.as_ref()).unwrap_or_default();
        let says = if run.message.is_empty() { String::new() } else { format!(": {}", run.message) };
        Some(format!("{} {when}{says}", run.state))
    }
}

impl JobRunView {
    fn took(&self) -> Option<String> {
        time::between(self.started_at.as_ref(), self.finished_at.as_ref()).filter(|_| self.finished_at.is_some())
    }
}

impl Row for JobView {
    const PLURAL: &'static str = "jobs";
    const COLUMNS: &'static [&'static str] = &["NAME", "EVERY", "DUE", "LAST RUN"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.period(), self.due(), self.last().unwrap_or_else(|| "-".to_owned())]
    }
}

impl Card for JobView {
    fn text(&self) -> String {
        facts(&[
            ("job", Some(self.name.clone())),
            ("does", some(self.description.clone())),
            ("every", Some(self.period())),
            ("due", Some(self.due())),
            ("last run", self.last()),
        ])
    }
}

impl Row for JobRunView {
    const PLURAL: &'static str = "runs";
    const COLUMNS: &'static [&'static str] = &["ID", "STATE", "BEGAN", "TOOK", "SERVER", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.state.clone(),
            time::relative(self.started_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
            self.took().unwrap_or_else(|| "-".to_owned()),
            self.server.clone(),
            self.message.clone(),
        ]
    }
}

impl Card for JobRunView {
    fn text(&self) -> String {
        facts(&[
            ("job", Some(self.job.clone())),
            ("run", Some(self.id.to_string())),
            ("state", Some(self.state.clone())),
            ("message", some(self.message.clone())),
            ("server", some(self.server.clone())),
            ("due", time::relative_and_exact(self.due_at.as_ref())),
            ("began", time::relative_and_exact(self.started_at.as_ref())),
            ("took", self.took()),
        ])
    }
}
