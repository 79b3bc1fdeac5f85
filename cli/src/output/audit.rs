//! Audit records as they are shown.

use serde::Serialize;
use sprout_client::proto::audit::Record;

use super::{Row, some, time};

/// One record.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    id: u64,
    at: Option<String>,
    user: Option<String>,
    token: Option<String>,
    peer: Option<String>,
    method: String,
    request: String,
    result: String,
    message: String,
}

impl From<Record> for RecordView {
    fn from(record: Record) -> Self {
        let Record { id, at, user, token, peer, method, request, result, message } = record;
        let at = time::rfc3339(at);
        Self { id, at, user: some(user), token: some(token), peer: some(peer), method, request, result, message }
    }
}

impl Row for RecordView {
    const PLURAL: &'static str = "records";
    const COLUMNS: &'static [&'static str] = &["ID", "AT", "USER", "FROM", "CALL", "RESULT", "WHAT"];

    fn cells(&self) -> Vec<String> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let what = if self.message.is_empty() { &self.request } else { &self.message };
        vec![
            self.id.to_string(),
            // To the second, which is enough for people.
            self.at
                .as_ref()
                .map_or_else(|| "-".to_owned(), |at| at.chars().take(19).collect::<String>().replace('T', " ")),
            or_dash(&self.user),
            or_dash(&self.peer),
            self.method.rsplit('/').next().unwrap_or_default().to_owned(),
            self.result.clone(),
            what.clone(),
        ]
    }
}
