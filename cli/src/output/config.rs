//! What was found out about configuration files.

use std::fmt::Write as _;

use serde::Serialize;
use sprout_client::proto::config::ConfigStatus;
use sprout_conf::{Mistake, Node};
use sprout_config::Checked;

use super::{Card, facts, some, time};

/// What is in files, and what is wrong with it.
#[derive(Debug, Serialize)]
pub(crate) struct CheckView {
    files: Vec<String>,
    notes: Vec<String>,
    mistakes: Vec<MistakeView>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
struct MistakeView {
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    path: Option<String>,
    message: String,
    #[serde(skip)]
    text: String,
}

impl From<&Checked> for CheckView {
    fn from(checked: &Checked) -> Self {
        Self {
            files: checked.files.iter().map(|file| file.display().to_string()).collect(),
            notes: checked.notes.clone(),
            mistakes: checked.mistakes.list().iter().map(MistakeView::from).collect(),
        }
    }
}

impl From<&Mistake> for MistakeView {
    fn from(mistake: &Mistake) -> Self {
        let place = mistake.place.as_ref();
        let at = place.and_then(|place| place.at);
        Self {
            file: place.and_then(|place| place.path()).map(|path| path.display().to_string()),
            line: at.map(|at| at.0),
            column: at.map(|at| at.1),
            path: Some(mistake.path.clone()).filter(|path| !path.is_empty()),
            message: mistake.message.clone(),
            text: mistake.to_string(),
        }
    }
}

impl Card for CheckView {
    fn text(&self) -> String {
        let mut text = String::new();
        for mistake in &self.mistakes {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{}", mistake.text);
        }
        if self.mistakes.is_empty() {
            for file in &self.files {
                let _ = writeln!(text, "{file}: fine");
            }
        }
        text
    }
}

/// A file as it is read, with secrets covered.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ShownView(pub(crate) Node);

impl Card for ShownView {
    fn text(&self) -> String {
        serde_saphyr::to_string(self).unwrap_or_else(|error| format!("# it cannot be printed: {error}\n"))
    }
}

/// How the server's configuration stands.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    loaded_at: Option<String>,
    files: Vec<String>,
    notes: Vec<String>,
    waiting_for_restart: Vec<String>,
    refused_at: Option<String>,
    mistakes: Vec<String>,
}

impl From<ConfigStatus> for StatusView {
    fn from(status: ConfigStatus) -> Self {
        Self {
            loaded_at: time::rfc3339(status.loaded_at),
            files: status.files,
            notes: status.notes,
            waiting_for_restart: status.waiting_for_restart,
            refused_at: time::rfc3339(status.refused_at),
            mistakes: status.mistakes,
        }
    }
}

impl Card for StatusView {
    fn text(&self) -> String {
        let mut text = facts(&[
            ("loaded", time::relative_and_exact(self.loaded_at.as_ref())),
            ("files", some(self.files.join(", "))),
            ("after a restart", some(self.waiting_for_restart.join(", "))),
            ("refused", time::relative_and_exact(self.refused_at.as_ref())),
        ]);
        for line in self.notes.iter().map(|note| format!("note: {note}")).chain(self.mistakes.clone()) {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
