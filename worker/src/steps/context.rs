//! What a step has at hand: the driver of its provider, and ways to say what it does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sprout_proto::worker::{LogLevel, TaskRef};
use tokio::time::{Duration, Instant};

use crate::{driver::Driver, outbox::Outbox};

/// An unchanged status is said again this often: it proves that the step goes on, and shows how long it has waited.
const REPEAT: Duration = Duration::from_secs(5);
/// Longer lines are cut: a line is for people, and one message must not fill the connection.
const LINE_LIMIT: usize = 4_096;

/// The surroundings of one running step.
pub(crate) struct StepContext {
    driver: Arc<dyn Driver>,
    outbox: Arc<Outbox>,
    task: TaskRef,
    status: Mutex<Status>,
}

#[derive(Default)]
struct Status {
    text: String,
    since: Option<Instant>,
    said: Option<Instant>,
}

impl StepContext {
    pub(crate) fn new(driver: Arc<dyn Driver>, outbox: Arc<Outbox>, task: TaskRef) -> Self {
        Self { driver, outbox, task, status: Mutex::default() }
    }

    /// The driver of the step's provider.
    pub(crate) fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    /// Says what the step does just now. Call it as often as you like: only news are sent, and now and then a sign of life.
    pub(crate) fn status(&self, percent: Option<u32>, text: impl Into<String>) {
        let (text, now) = (cut(text.into()), Instant::now());
        let mut status = self.state();
        let news = text != status.text;
        if !news && status.said.is_some_and(|said| now - said < REPEAT) {
            return;
        }
        let since = if news { now } else { status.since.unwrap_or(now) };
        let waited = (now - since).as_secs();
        let line = if waited == 0 { text.clone() } else { format!("{text} ({waited} s)") };
        *status = Status { text, since: Some(since), said: Some(now) };
        drop(status);
        self.outbox.progress(&self.task, percent, line);
    }

    /// What was last said.
    pub(crate) fn last_status(&self) -> String {
        self.state().text.clone()
    }

    /// Logs what went on.
    pub(crate) fn info(&self, line: impl Into<String>) {
        let line = cut(line.into());
        tracing::info!("{line}");
        self.outbox.log(&self.task, LogLevel::Info, line);
    }

    /// Logs what is worth a look.
    pub(crate) fn warn(&self, line: impl Into<String>) {
        let line = cut(line.into());
        tracing::warn!("{line}");
        self.outbox.log(&self.task, LogLevel::Warn, line);
    }

    fn state(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of bounded length.
fn cut(mut line: String) -> String {
    if line.len() > LINE_LIMIT {
        line.truncate(line.floor_char_boundary(LINE_LIMIT));
        line.push('…');
    }
    if line.contains(['\n', '\r']) { line.replace(['\n', '\r'], " ") } else { line }
}

#[cfg(test)]
mod tests {
    use sprout_proto::worker::session_request::Message;

    use super::*;
    use crate::testing::FakeDriver;

    fn said(outbox: &Outbox) -> Option<String> {
        match outbox.try_next()? {
            Message::Progress(progress) => Some(progress.status),
            other => panic!("not a progress: {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_is_sent_when_it_is_new_and_now_and_then() {
        let outbox = Arc::new(Outbox::default());
        let task = TaskRef { task_id: 1, epoch: 1 };
        let ctx = StepContext::new(Arc::new(FakeDriver::default()), Arc::clone(&outbox), task);
        ctx.status(None, "waiting");
        assert_eq!(said(&outbox).as_deref(), Some("waiting"));
        ctx.status(None, "waiting");
        assert_eq!(said(&outbox), None, "no news");
        tokio::time::advance(REPEAT).await;
        ctx.status(None, "waiting");
        assert_eq!(said(&outbox).as_deref(), Some("waiting (5 s)"));
        ctx.status(None, "two\nlines");
        assert_eq!(said(&outbox).as_deref(), Some("two lines"));
    }

    #[test]
    fn long_lines_are_cut_at_a_character() {
        let line = cut("ä".repeat(LINE_LIMIT));
        assert!(line.len() <= LINE_LIMIT + '…'.len_utf8() && line.ends_with("ä…"));
    }
}
