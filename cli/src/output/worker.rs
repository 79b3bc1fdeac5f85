//! Workers as they are shown.

use std::collections::BTreeMap;

use serde::Serialize;
use sprout_client::proto::{
    task::{Lane, Task},
    worker::{JoinToken, Worker},
};
use sprout_conf::Secret;

use super::{Card, Row, facts, lower, some, stdout_width, table, task::TaskView, time};

/// One worker.
#[derive(Debug, Serialize)]
pub(crate) struct WorkerView {
    id: String,
    version: String,
    state: &'static str,
    connected: bool,
    drained: bool,
    leaving: bool,
    slots: u32,
    lane_slots: BTreeMap<String, u32>,
    pub(crate) running: u32,
    provider_types: Vec<String>,
    labels: BTreeMap<String, String>,
    last_heard_at: Option<String>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Vec<TaskView>>,
}

impl From<Worker> for WorkerView {
    fn from(w: Worker) -> Self {
        let lane_slots = w.lane_slots.iter();
        Self {
            state: match &w {
                Worker { connected: false, version, .. } if version.is_empty() => "joined",
                Worker { connected: false, .. } => "silent",
                Worker { leaving: true, .. } => "leaving",
                Worker { drained: true, .. } => "drained",
                _ => "connected",
            },
            lane_slots: lane_slots.map(|own| (lower(own.lane, Lane::as_str_name, "LANE_"), own.slots)).collect(),
            id: w.id,
            version: w.version,
            connected: w.connected,
            drained: w.drained,
            leaving: w.leaving,
            slots: w.slots,
            running: w.running,
            provider_types: w.provider_types,
            labels: w.labels.into_iter().collect(),
            last_heard_at: time::rfc3339(w.last_heard_at),
            tasks: None,
        }
    }
}

impl WorkerView {
    /// One worker alone, with what it runs.
    pub(crate) fn with_tasks(worker: Worker, tasks: Vec<Task>) -> Self {
        Self { tasks: Some(tasks.into_iter().map(TaskView::from).collect()), ..Self::from(worker) }
    }

    /// Its state, and that it is drained where that is not said by it.
    pub(crate) fn state(&self) -> String {
        let also = if self.drained && self.state != "drained" { ", drained" } else { "" };
        format!("{}{also}", self.state)
    }

    /// Of all it has room for, what lanes have of their own included.
    fn load(&self) -> String {
        format!("{}/{}", self.running, self.slots + self.lane_slots.values().sum::<u32>())
    }

    fn kill_slots(&self) -> u32 {
        self.lane_slots.get("kill").copied().unwrap_or_default()
    }

    fn labels(&self) -> String {
        self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}

impl Row for WorkerView {
    const PLURAL: &'static str = "workers";
    const COLUMNS: &'static [&'static str] =
        &["ID", "STATE", "RUNNING", "KILL SLOTS", "PROVIDER TYPES", "LAST HEARD", "VERSION"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.state(),
            self.load(),
            self.kill_slots().to_string(),
            self.provider_types.join(" "),
            time::relative(self.last_heard_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
            self.version.clone(),
        ]
    }
}

/// A token to join with, once.
#[derive(Debug, Serialize)]
pub(crate) struct JoinTokenView {
    worker_id: String,
    /// To be shown: that is what it was made for.
    #[serde(serialize_with = "shown")]
    join_token: Secret,
    expires_at: Option<String>,
}

impl JoinTokenView {
    pub(crate) fn new(worker_id: String, join_token: Secret, expires_at: Option<String>) -> Self {
        Self { worker_id, join_token, expires_at }
    }

    /// What to do with it.
    pub(crate) fn hint(&self) -> String {
        let until = time::relative_and_exact(self.expires_at.as_ref()).unwrap_or_default();
        let id = &self.worker_id;
        format!(
            "worker {id} can join with this once, until {until}: sprout-worker --id {id} --join-token-file FILE --server URL"
        )
    }
}

/// A token that was not used yet; what it is was shown when it was made.
#[derive(Debug, Serialize)]
pub(crate) struct UnusedTokenView {
    worker_id: String,
    expires_at: Option<String>,
}

impl From<JoinToken> for UnusedTokenView {
    fn from(token: JoinToken) -> Self {
        Self { worker_id: token.worker_id, expires_at: time::rfc3339(token.expires_at) }
    }
}

impl Row for UnusedTokenView {
    const PLURAL: &'static str = "join tokens";
    const COLUMNS: &'static [&'static str] = &["WORKER", "EXPIRES"];

    fn cells(&self) -> Vec<String> {
        vec![self.worker_id.clone(), time::relative(self.expires_at.as_ref()).unwrap_or_default()]
    }
}

fn shown<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl Card for JoinTokenView {
    fn text(&self) -> String {
        format!("{}\n", self.join_token.expose())
    }
}

/// A task among those of its worker, which says the rest.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct RunView<'a>(&'a TaskView);

impl Row for RunView<'_> {
    const PLURAL: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = &["ID", "WORKFLOW", "STEP", "STATE", "TRY", "PROVIDER", "AGE", "STATUS"];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        cells.remove(6);
        cells
    }
}

impl Card for WorkerView {
    fn text(&self) -> String {
        let own = self.lane_slots.iter().map(|(lane, slots)| format!(", {slots} for {lane} alone"));
        let mut text = facts(&[
            ("worker", Some(self.id.clone())),
            ("state", Some(self.state())),
            ("running", Some(self.load())),
            ("slots", Some(format!("{} for all{}", self.slots, own.collect::<String>()))),
            ("provider types", some(self.provider_types.join(" "))),
            ("labels", some(self.labels())),
            ("last heard", time::relative_and_exact(self.last_heard_at.as_ref())),
            ("version", some(self.version.clone())),
        ]);
        if let Some(tasks) = self.tasks.as_deref().filter(|tasks| !tasks.is_empty()) {
            text.push('\n');
            text.push_str(&table::render(&tasks.iter().map(RunView).collect::<Vec<_>>(), stdout_width()));
        }
        text
    }
}
