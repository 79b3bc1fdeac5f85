//! Jobs on the wire.

use sprout_domain::job::{Job, JobRun, JobRunState};
use sprout_proto::job as proto;

use super::{Wire, moment, span};

impl From<Wire<(Job, Option<JobRun>)>> for proto::Job {
    fn from(Wire((job, last_run)): Wire<(Job, Option<JobRun>)>) -> Self {
        Self {
            name: job.name,
            description: job.description,
            period: Some(span(job.period)),
            paused: job.paused,
            due_at: Some(moment(job.due_at)),
            last_run: last_run.map(|run| Wire(run).into()),
        }
    }
}

impl From<Wire<JobRun>> for proto::JobRun {
    fn from(Wire(run): Wire<JobRun>) -> Self {
        Self {
            id: run.id.unsigned_abs(), // the database counts from 1
            job: run.job,
            due_at: Some(moment(run.due_at)),
            server: run.server,
            state: proto::JobRunState::from(Wire(run.state)).into(),
            message: run.message,
            started_at: Some(moment(run.started_at)),
            finished_at: run.finished_at.map(moment),
        }
    }
}

impl From<Wire<JobRunState>> for proto::JobRunState {
    fn from(Wire(state): Wire<JobRunState>) -> Self {
        match state {
            JobRunState::Running => Self::Running,
            JobRunState::Done => Self::Done,
            JobRunState::Failed => Self::Failed,
            JobRunState::Lost => Self::Lost,
        }
    }
}
