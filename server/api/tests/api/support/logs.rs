//! Logs in memory; a position is a number of lines.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sprout_app::ports::{LogOf, LogStore};
use sprout_domain::Result;
use tokio::sync::watch;

/// All logs of a test.
#[derive(Default)]
pub(crate) struct MemoryLogs {
    lines: Mutex<HashMap<LogOf, Vec<String>>>,
    grown: watch::Sender<u64>,
}

impl MemoryLogs {
    /// Ends when nobody follows any log any more.
    pub(crate) async fn unwatched(&self) {
        self.grown.closed().await;
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<LogOf, Vec<String>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl LogStore for MemoryLogs {
    async fn append(&self, of: &LogOf, lines: Vec<String>) {
        self.lines().entry(of.clone()).or_default().extend(lines);
        self.grown.send_modify(|count| *count += 1);
    }

    async fn read(&self, of: &LogOf, position: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        let all = self.lines();
        let rest = all.get(of).map(|lines| &lines[usize::try_from(position).unwrap()..]).unwrap_or_default();
        let lines = rest[..rest.len().min(limit)].to_vec();
        let next = position + lines.len() as u64;
        Ok((lines, next))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }
}
