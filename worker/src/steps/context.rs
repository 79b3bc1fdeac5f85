//! What a step has at hand: its provider, and ways to say what it does.
//!
//! Looking is free. Whoever wants to change something gets the driver for it only while the task is surely this worker's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sprout_proto::{
    task::Capability,
    worker::{LogLevel, TaskRef},
};
use tokio::time::{Duration, Instant};

use crate::{
    driver::{Driver, DriverError, Instance, Needs, Reason, Report, Result},
    lease::Hold,
    outbox::Outbox,
};

/// An unchanged status is said again this often: it proves that the step goes on, and shows how long it has waited.
const REPEAT: Duration = Duration::from_secs(5);
/// Longer lines are cut: a line is for people, and one message must not fill the connection.
const LINE_LIMIT: usize = 4_096;

/// The surroundings of one running step.
pub(crate) struct StepContext {
    driver: Arc<dyn Driver>,
    outbox: Arc<Outbox>,
    task: TaskRef,
    hold: Hold,
    status: Mutex<Status>,
}

#[derive(Default)]
struct Status {
    percent: Option<u32>,
    text: String,
    since: Option<Instant>,
    said: Option<Instant>,
}

impl StepContext {
    pub(crate) fn new(driver: Arc<dyn Driver>, outbox: Arc<Outbox>, task: TaskRef, hold: Hold) -> Self {
        Self { driver, outbox, task, hold, status: Mutex::default() }
    }

    /// The driver, to change something with one call now. Waits until the task is surely this worker's: it may have been given to
    /// another while this one was not heard.
    pub(crate) async fn change(&self) -> Result<&dyn Driver> {
        if !self.hold.is_sure() {
            self.status(None, "waiting for the server to confirm that this task is still this worker's");
            tracing::warn!("the server was not heard for a while; waiting for it before anything is changed");
            if !self.hold.sure().await {
                return Err(DriverError::new(Reason::Cancelled, "the task was given to another worker"));
            }
        }
        Ok(&*self.driver)
    }

    /// Looks for an appliance, see [`Driver::find`].
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Instance>> {
        self.heard(self.driver.find(name).await)
    }

    /// See [`Driver::check`].
    pub(crate) async fn check(&self) -> Result<Report> {
        self.heard(self.driver.check().await)
    }

    /// See [`Driver::templates`].
    pub(crate) async fn templates(&self) -> Result<Vec<String>> {
        self.heard(self.driver.templates().await)
    }

    /// See [`Driver::list`].
    pub(crate) async fn list(&self) -> Result<Vec<Instance>> {
        self.heard(self.driver.list().await)
    }

    /// What the provider can do, as the server wants it. After a check, which is when external providers tell it.
    pub(crate) fn capabilities(&self) -> Vec<i32> {
        let can = self.driver.capabilities();
        let all = [
            (Capability::Power, true),
            (Capability::Suspend, can.suspend),
            (Capability::Rename, can.rename == Some(Needs::Any)),
            (Capability::RenameOff, can.rename == Some(Needs::Off)),
            (Capability::Disk, can.disk),
            (Capability::Snapshot, can.snapshot),
            (Capability::Resize, can.resize == Some(Needs::Any)),
            (Capability::ResizeOff, can.resize == Some(Needs::Off)),
            (Capability::MakeTemplate, can.make_template.is_some()),
        ];
        all.into_iter().filter(|(_, able)| *able).map(|(capability, _)| capability.into()).collect()
    }

    /// Whether marks can be written after creation.
    pub(crate) fn can_retag(&self) -> bool {
        self.driver.capabilities().retag
    }

    /// The provider answered: that is progress, and said now and then even where the step has nothing new to say.
    fn heard<T>(&self, answer: Result<T>) -> Result<T> {
        if !answer.as_ref().is_err_and(|error| error.reason == Reason::Unreachable) {
            let (percent, text) = {
                let status = self.state();
                (status.percent, status.text.clone())
            };
            let text = if text.is_empty() { "looking at the provider".to_owned() } else { text };
            self.status(percent, text);
        }
        answer
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
        *status = Status { percent, text, since: Some(since), said: Some(now) };
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

    use tokio::time::timeout;

    use super::*;
    use crate::{
        lease::{Lease, Moment},
        testing::{FakeDriver, Fault},
    };

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
        let ctx = StepContext::new(Arc::new(FakeDriver::default()), Arc::clone(&outbox), task, Hold::default());
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

    #[tokio::test(start_paused = true)]
    async fn each_answer_of_the_provider_is_progress_and_silence_is_not() {
        let (outbox, driver) = (Arc::new(Outbox::default()), Arc::new(FakeDriver::default()));
        let task = TaskRef { task_id: 1, epoch: 1 };
        let ctx = StepContext::new(driver.clone(), Arc::clone(&outbox), task, Hold::default());
        ctx.find("x").await.unwrap();
        assert_eq!(said(&outbox).as_deref(), Some("looking at the provider"));
        ctx.status(Some(50), "waiting");
        assert_eq!(said(&outbox).as_deref(), Some("waiting"));
        driver.script("find", [Fault::Fails(Reason::Unreachable)]);
        tokio::time::advance(REPEAT).await;
        ctx.find("x").await.unwrap_err();
        assert_eq!(said(&outbox), None);
        ctx.find("x").await.unwrap();
        assert_eq!(said(&outbox).as_deref(), Some("waiting (5 s)"));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_changed_without_a_lease() {
        let lease = Arc::new(Lease::default());
        lease.open(Moment::now(), Some(Duration::from_secs(10)));
        let (outbox, hold) = (Arc::new(Outbox::default()), Hold::new(&lease));
        let task = TaskRef { task_id: 1, epoch: 1 };
        let ctx = StepContext::new(Arc::new(FakeDriver::default()), outbox, task, hold.clone());
        assert!(ctx.change().await.is_ok());
        tokio::time::advance(Duration::from_secs(60)).await;
        timeout(Duration::from_secs(60), ctx.change()).await.map(|_| ()).unwrap_err();
        assert!(ctx.find("x").await.is_ok(), "looking is free");
        hold.lose();
        lease.open(Moment::now(), Some(Duration::from_secs(10)));
        assert_eq!(ctx.change().await.map(|_| ()).unwrap_err().reason, Reason::Cancelled);
    }

    #[test]
    fn long_lines_are_cut_at_a_character() {
        let line = cut("ä".repeat(LINE_LIMIT));
        assert!(line.len() <= LINE_LIMIT + '…'.len_utf8() && line.ends_with("ä…"));
    }
}
