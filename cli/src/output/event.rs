//! Events as they are shown.

use serde::Serialize;
use sprout_client::proto::event::{Event, EventKind};

use super::{Row, lower, time};

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    sequence: u64,
    happened_at: Option<String>,
    kind: String,
    pool_id: Option<u64>,
    appliance_id: Option<u64>,
    provider: Option<String>,
    worker: Option<String>,
    workflow_id: Option<u64>,
    user: Option<String>,
    state: Option<String>,
    message: String,
}

impl From<Event> for EventView {
    fn from(e: Event) -> Self {
        Self {
            sequence: e.sequence,
            happened_at: time::rfc3339(e.happened_at),
            kind: lower(e.kind, EventKind::as_str_name, "EVENT_KIND_"),
            pool_id: e.pool_id,
            appliance_id: e.appliance_id,
            provider: e.provider,
            worker: e.worker,
            workflow_id: e.workflow_id,
            user: e.user,
            state: e.state,
            message: e.message,
        }
    }
}

impl Row for EventView {
    const PLURAL: &'static str = "events";
    const COLUMNS: &'static [&'static str] = &["WHEN", "KIND", "APPLIANCE", "WHAT"];

    fn cells(&self) -> Vec<String> {
        vec![
            time::relative(self.happened_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
            self.kind.clone(),
            self.appliance_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            self.message.clone(),
        ]
    }
}

impl EventView {
    /// The event in one line.
    pub(crate) fn line(&self) -> String {
        let about = [
            self.pool_id.map(|id| format!(" pool {id}")),
            self.appliance_id.map(|id| format!(" appliance {id}")),
            self.provider.as_ref().map(|key| format!(" provider {key}")),
        ];
        let about: String = about.into_iter().flatten().collect();
        let time = self.happened_at.as_deref().unwrap_or("-");
        format!("{time} {} {}{about}: {}", self.sequence, self.kind, self.message)
    }
}
