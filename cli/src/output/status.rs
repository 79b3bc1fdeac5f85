//! The whole service in one screen.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    Card, Row, pool::PoolView, provider::ProviderView, stdout_width, table, user::SessionView, worker::WorkerView,
};

/// Everything `status` shows.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    #[serde(flatten)]
    pub(crate) session: SessionView,
    pub(crate) providers: Vec<ProviderView>,
    /// Absent for callers who may not see them.
    pub(crate) workers: Option<Vec<WorkerView>>,
    pub(crate) pools: Vec<PoolView>,
}

impl Card for StatusView {
    fn text(&self) -> String {
        let mut text = self.session.text();
        section(&mut text, &self.providers);
        if let Some(workers) = &self.workers {
            section(&mut text, workers);
        }
        section(&mut text, &self.pools);
        text
    }
}

fn section<T: Row>(text: &mut String, rows: &[T]) {
    let rows_text = if rows.is_empty() { "none\n".to_owned() } else { table::render(rows, stdout_width()) };
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{}\n{rows_text}", T::PLURAL);
}
