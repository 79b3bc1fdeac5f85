//! Reading logs, and how steps write them. The log of a task is its lines in the log of its subject: there they stand among what happened
//! before and after, and nothing is written twice.

use chrono::SecondsFormat;
use sprout_domain::{ApplianceId, Result, TaskId, Timestamp, WorkerId, user::User, workflow::StepKind};
use tokio::sync::watch;

use crate::{
    App,
    appliance::visible,
    ports::{ApplianceBy, LogOf},
};

/// A line that a step logs, with its ids: `TIME LEVEL step task=N worker=W: text`.
pub fn step_line(at: Timestamp, level: &str, step: StepKind, task: TaskId, worker: &WorkerId, text: &str) -> String {
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{at} {level} {step} task={task} worker={worker}: {text}")
}

/// Whether [`step_line`] made this line for this task. What the line says further on does not matter: anything may stand there.
pub(crate) fn is_of(line: &str, task: TaskId) -> bool {
    let id = line.split(' ').nth(3).and_then(|word| word.strip_prefix("task="));
    id.and_then(|id| id.parse().ok()) == Some(task.0)
}

impl App {
    /// Appends lines to a log.
    pub async fn log(&self, of: &LogOf, lines: Vec<String>) {
        self.ports.logs.append(of, lines).await;
    }

    /// Lines of an appliance's log from a byte position on, at most `limit`, and the position after them.
    pub async fn appliance_log(
        &self,
        caller: &User,
        id: ApplianceId,
        position: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64)> {
        let mut tx = self.ports.store.read().await?;
        visible(tx.as_mut(), caller, &ApplianceBy::Id(id)).await?;
        drop(tx);
        self.ports.logs.read(&LogOf::Appliance(id), position, limit).await
    }

    /// A receiver that is marked changed when any log grew.
    pub fn logs_changed(&self) -> watch::Receiver<u64> {
        self.ports.logs.changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_its_task_alone() {
        let line = step_line(Timestamp::UNIX_EPOCH, "INFO", StepKind::Clone, TaskId(7), &"w 1".into(), "like task=8");
        assert_eq!(line, "1970-01-01T00:00:00.000Z INFO clone task=7 worker=w 1: like task=8");
        assert!(is_of(&line, TaskId(7)) && !is_of(&line, TaskId(8)));
        assert!(!is_of("", TaskId(7)) && !is_of("task=7", TaskId(7)) && !is_of(&line, TaskId(70)));
    }
}
