//! Workflows as they are shown, and what pings told.

use serde::Serialize;
use sprout_client::proto::{
    task::Task,
    workflow::{Workflow, WorkflowKind, WorkflowState},
};

use super::{
    Card, Row, facts, lower, some, stdout_width, table,
    task::{StepView, TaskView},
    time,
};

/// One workflow.
#[derive(Debug, Serialize)]
pub(crate) struct WorkflowView {
    id: u64,
    kind: String,
    state: String,
    provider: Option<String>,
    appliance_id: Option<u64>,
    /// Of one that is about a machine that is no appliance.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    parent_id: Option<u64>,
    child_count: u32,
    open_child_count: u32,
    step: Option<String>,
    error: String,
    created_at: Option<String>,
    finished_at: Option<String>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Vec<TaskView>>,
}

impl From<Workflow> for WorkflowView {
    fn from(w: Workflow) -> Self {
        Self {
            id: w.id,
            kind: lower(w.kind, WorkflowKind::as_str_name, "WORKFLOW_KIND_"),
            state: lower(w.state, WorkflowState::as_str_name, "WORKFLOW_STATE_"),
            provider: some(w.provider),
            appliance_id: w.appliance_id,
            machine: w.machine,
            parent_id: w.parent_id,
            child_count: w.child_count,
            open_child_count: w.open_child_count,
            step: some(w.step),
            error: w.error,
            created_at: time::rfc3339(w.created_at),
            finished_at: time::rfc3339(w.finished_at),
            tasks: None,
        }
    }
}

impl WorkflowView {
    /// One workflow alone, with its tasks.
    pub(crate) fn with_tasks(workflow: Workflow, tasks: Vec<Task>) -> Self {
        Self { tasks: Some(tasks.into_iter().map(TaskView::from).collect()), ..Self::from(workflow) }
    }

    /// What it is, for a question: "deploy of appliance 12 on docker, running".
    pub(crate) fn what(&self) -> String {
        let parts = [
            self.appliance_id.map(|id| format!(" of appliance {id}")),
            self.machine.as_ref().map(|name| format!(" of {name}")),
            self.provider.as_ref().map(|key| format!(" on {key}")),
            Some(format!(", {}", self.state)),
            Some(" with its parts".to_owned()).filter(|_| self.child_count > 0),
        ];
        format!("{}{}", self.kind, parts.into_iter().flatten().collect::<String>())
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.finished_at.is_some()
    }

    /// Of its parts, how many have ended.
    fn parts(&self) -> Option<String> {
        let ended = self.child_count.saturating_sub(self.open_child_count);
        (self.child_count > 0).then(|| format!("{ended}/{}", self.child_count))
    }

    /// Where it is: the step, or the parts that have ended, or why it failed.
    fn news(&self) -> String {
        if !self.error.is_empty() {
            return self.error.clone();
        }
        let parts = || self.parts().map(|parts| format!("{parts} parts ended"));
        self.step.clone().or_else(parts).unwrap_or_default()
    }
}

impl Row for WorkflowView {
    const PLURAL: &'static str = "workflows";
    const COLUMNS: &'static [&'static str] =
        &["ID", "KIND", "STATE", "PROVIDER", "APPLIANCE", "PART OF", "AGE", "STATUS"];

    fn cells(&self) -> Vec<String> {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            self.id.to_string(),
            self.kind.clone(),
            self.state.clone(),
            or_none(self.provider.clone()),
            or_none(self.appliance_id.map(|id| id.to_string())),
            or_none(self.parent_id.map(|id| id.to_string())),
            or_none(time::age(self.created_at.as_ref())),
            self.news(),
        ]
    }
}

impl Card for WorkflowView {
    fn text(&self) -> String {
        let took = self.finished_at.as_ref().and_then(|end| time::between(self.created_at.as_ref(), Some(end)));
        let mut text = facts(&[
            ("workflow", Some(self.id.to_string())),
            ("kind", Some(self.kind.clone())),
            ("state", Some(self.state.clone())),
            ("error", some(self.error.clone())),
            ("step", self.step.clone()),
            ("provider", self.provider.clone()),
            ("appliance", self.appliance_id.map(|id| id.to_string())),
            ("machine", self.machine.clone()),
            ("part of", self.parent_id.map(|id| format!("workflow {id}"))),
            ("parts ended", self.parts()),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
            ("ended", time::relative_and_exact(self.finished_at.as_ref())),
            ("took", took),
        ]);
        if let Some(tasks) = self.tasks.as_deref().filter(|tasks| !tasks.is_empty()) {
            text.push('\n');
            text.push_str(&table::render(&tasks.iter().map(StepView).collect::<Vec<_>>(), stdout_width()));
        }
        text
    }
}

/// How quickly pings came back.
#[derive(Debug, Serialize)]
pub(crate) struct PingView {
    provider: String,
    workflow_id: u64,
    count: u32,
    seconds: f64,
    per_second: f64,
}

impl PingView {
    /// By the server's clock: from when the pings were asked for until the last had come back.
    pub(crate) fn new(provider: String, count: u32, workflow: &Workflow) -> Self {
        let at =
            |time: &prost_types::Timestamp| chrono::DateTime::from_timestamp(time.seconds, time.nanos.unsigned_abs());
        let ends = (workflow.created_at.as_ref().and_then(at), workflow.finished_at.as_ref().and_then(at));
        let span = match ends {
            (Some(begun), Some(ended)) => (ended - begun).to_std().unwrap_or_default(),
            _ => std::time::Duration::ZERO,
        };
        // Databases count microseconds; nothing is done in less than one.
        let seconds = span.as_secs_f64().max(1e-6);
        Self { provider, workflow_id: workflow.id, count, seconds, per_second: f64::from(count) / seconds }
    }
}

impl Card for PingView {
    fn text(&self) -> String {
        let Self { provider, count, seconds, per_second, .. } = self;
        let time = time::precise(*seconds);
        if *count == 1 {
            return format!("1 ping through the workers of {provider} came back in {time}\n");
        }
        format!("{count} pings through the workers of {provider} came back in {time}: {per_second:.0}/s\n")
    }
}
