//! Tasks as they are shown.

use serde::Serialize;
use sprout_client::proto::task::{Lane, Task, TaskState};

use super::{Card, Row, facts, lower, some, time};

/// One task.
#[derive(Debug, Serialize)]
pub(crate) struct TaskView {
    id: u64,
    workflow_id: u64,
    workflow: String,
    step: String,
    position: u32,
    state: String,
    lane: String,
    provider: String,
    appliance_id: Option<u64>,
    attempt: u32,
    epoch: u64,
    worker_id: Option<String>,
    cancel_requested: bool,
    status: String,
    error: String,
    created_at: Option<String>,
    due_at: Option<String>,
    started_at: Option<String>,
    progress_at: Option<String>,
    finished_at: Option<String>,
}

impl From<Task> for TaskView {
    fn from(t: Task) -> Self {
        Self {
            id: t.id,
            workflow_id: t.workflow_id,
            workflow: t.workflow,
            step: t.step,
            position: t.position,
            state: lower(t.state, TaskState::as_str_name, "TASK_STATE_"),
            lane: lower(t.lane, Lane::as_str_name, "LANE_"),
            provider: t.provider,
            appliance_id: t.appliance_id,
            attempt: t.attempt,
            epoch: t.epoch,
            worker_id: some(t.worker_id),
            cancel_requested: t.cancel_requested,
            status: t.status,
            error: t.error,
            created_at: time::rfc3339(t.created_at),
            due_at: time::rfc3339(t.due_at),
            started_at: time::rfc3339(t.started_at),
            progress_at: time::rfc3339(t.progress_at),
            finished_at: time::rfc3339(t.finished_at),
        }
    }
}

impl TaskView {
    /// Its state, and that it is to be stopped.
    fn state(&self) -> String {
        let also = if self.cancel_requested && self.state == "running" { ", stopping" } else { "" };
        format!("{}{also}", self.state)
    }

    /// What there is to say of it now, in a line.
    fn news(&self) -> String {
        // What is due already only waits for a worker.
        let due = time::relative(self.due_at.as_ref()).filter(|_| self.state == "retrying");
        let due = due.map(|due| if due.starts_with("in ") { due } else { "when a worker has room".to_owned() });
        match (due, self.error.is_empty()) {
            (Some(due), _) => format!("again {due}: {}", self.error),
            (None, false) if self.state != "running" || self.status.is_empty() => self.error.clone(),
            _ => self.status.clone(),
        }
    }

    /// How long its last try took, or takes so far.
    fn took(&self) -> Option<String> {
        if self.finished_at.is_none() && self.state != "running" {
            return None;
        }
        time::between(self.started_at.as_ref(), self.finished_at.as_ref())
    }
}

impl Row for TaskView {
    const PLURAL: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] =
        &["ID", "WORKFLOW", "STEP", "STATE", "TRY", "PROVIDER", "WORKER", "AGE", "STATUS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            format!("{} {}", self.workflow_id, self.workflow),
            self.step.clone(),
            self.state(),
            self.attempt.to_string(),
            self.provider.clone(),
            self.worker_id.clone().unwrap_or_else(|| "-".to_owned()),
            time::age(self.created_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
            self.news(),
        ]
    }
}

/// A task among those of its workflow, which says the rest.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct StepView<'a>(pub(crate) &'a TaskView);

impl Row for StepView<'_> {
    const PLURAL: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = &["TASK", "STEP", "STATE", "TRY", "WORKER", "TOOK", "STATUS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.0.id.to_string(),
            self.0.step.clone(),
            self.0.state(),
            self.0.attempt.to_string(),
            self.0.worker_id.clone().unwrap_or_else(|| "-".to_owned()),
            self.0.took().unwrap_or_else(|| "-".to_owned()),
            self.0.news(),
        ]
    }
}

impl Card for TaskView {
    fn text(&self) -> String {
        let due = self.due_at.as_ref().filter(|_| matches!(self.state.as_str(), "ready" | "retrying"));
        facts(&[
            ("task", Some(self.id.to_string())),
            ("step", Some(self.step.clone())),
            ("state", Some(self.state())),
            ("status", some(self.status.clone())),
            ("last error", some(self.error.clone())),
            ("try", Some(format!("{} (epoch {})", self.attempt, self.epoch))),
            ("workflow", Some(format!("{} ({}, step {})", self.workflow_id, self.workflow, self.position + 1))),
            ("appliance", self.appliance_id.map(|id| id.to_string())),
            ("provider", some(self.provider.clone())),
            ("lane", Some(self.lane.clone())),
            ("worker", self.worker_id.clone()),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
            ("due", time::relative_and_exact(due)),
            ("started", time::relative_and_exact(self.started_at.as_ref())),
            ("last heard of", time::relative_and_exact(self.progress_at.as_ref())),
            ("ended", time::relative_and_exact(self.finished_at.as_ref())),
        ])
    }
}
