//! Workers as they are shown.

use serde::Serialize;
use sprout_client::proto::worker::Worker;

use super::{Row, time};

/// One worker.
#[derive(Debug, Serialize)]
pub(crate) struct WorkerView {
    id: String,
    version: String,
    pub(crate) connected: bool,
    slots: u32,
    running: u32,
    provider_types: Vec<String>,
    last_heard_at: Option<String>,
}

impl From<Worker> for WorkerView {
    fn from(w: Worker) -> Self {
        Self {
            id: w.id,
            version: w.version,
            connected: w.connected,
            slots: w.slots,
            running: w.running,
            provider_types: w.provider_types,
            last_heard_at: time::rfc3339(w.last_heard_at),
        }
    }
}

impl Row for WorkerView {
    const PLURAL: &'static str = "workers";
    const COLUMNS: &'static [&'static str] = &["ID", "VERSION", "STATE", "RUNNING", "PROVIDER TYPES", "LAST HEARD"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            if self.connected { "connected" } else { "gone" }.to_owned(),
            format!("{}/{}", self.running, self.slots),
            self.provider_types.join(" "),
            time::relative(self.last_heard_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
        ]
    }
}
