//! What the worker still has to tell the server, bounded: steps put in at any rate, the session takes out as fast as the
//! connection allows.
//!
//! Of progress only the newest per task is kept. Log lines are kept up to a limit, then the oldest are dropped and counted.
//! Results are never dropped: each stays until the server acknowledged it (or the task is no longer ours), and is sent again
//! in every new session.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use sprout_proto::worker::{Done, Log, LogLevel, Progress, TaskRef, session_request::Message};
use tokio::sync::Notify;

/// Log lines that wait for the connection; at 200 bytes each some 400 kB.
const LOG_LIMIT: usize = 2_000;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// Something to send.
    filled: Notify,
    /// A result was dealt with.
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Being sent now: what a task said, then its result, so that nothing comes after the result.
    round: VecDeque<Item>,
    logs: VecDeque<Log>,
    dropped: HashMap<u64, (TaskRef, u64)>,
    progress: HashMap<u64, Progress>,
    /// Results without acknowledgement.
    done: BTreeMap<u64, Done>,
    /// Of those, the ones not yet sent in this session.
    unsent: Vec<u64>,
}

#[derive(Debug)]
enum Item {
    Says(Message),
    Done(u64),
}

impl Outbox {
    /// A step goes on.
    pub(crate) fn progress(&self, task: &TaskRef, percent: Option<u32>, status: String) {
        let progress = Progress { task: Some(*task), percent, status };
        self.state().progress.insert(task.task_id, progress);
        self.filled.notify_one();
    }

    /// A step has something to log.
    pub(crate) fn log(&self, task: &TaskRef, level: LogLevel, line: String) {
        let mut state = self.state();
        if state.logs.len() == LOG_LIMIT
            && let Some(task) = state.logs.pop_front().and_then(|log| log.task)
        {
            state.dropped.entry(task.task_id).or_insert((task, 0)).1 += 1;
        }
        state.logs.push_back(log_line(*task, level, line));
        drop(state);
        self.filled.notify_one();
    }

    /// A step ended.
    pub(crate) fn done(&self, done: Done) {
        let Some(task) = done.task else { return };
        let mut state = self.state();
        state.progress.remove(&task.task_id);
        state.done.insert(task.task_id, done);
        state.unsent.push(task.task_id);
        drop(state);
        self.filled.notify_one();
    }

    /// The server dealt with a result.
    pub(crate) fn acknowledged(&self, task: &TaskRef) {
        let mut state = self.state();
        if state.done.get(&task.task_id).is_some_and(|done| done.task.as_ref() == Some(task)) {
            state.done.remove(&task.task_id);
        }
        drop(state);
        self.settled.notify_waiters();
    }

    /// The task is no longer ours: nothing of it is sent any more.
    pub(crate) fn forget(&self, task: &TaskRef) {
        let mut state = self.state();
        let other = |said: Option<&TaskRef>| said != Some(task);
        state.logs.retain(|log| other(log.task.as_ref()));
        state.progress.retain(|_, progress| other(progress.task.as_ref()));
        state.done.retain(|_, done| other(done.task.as_ref()));
        state.dropped.retain(|_, (of, _)| of != task);
        state.round.retain(|item| match item {
            Item::Says(Message::Log(log)) => other(log.task.as_ref()),
            Item::Says(Message::Progress(progress)) => other(progress.task.as_ref()),
            Item::Says(_) | Item::Done(_) => true,
        });
        drop(state);
        self.settled.notify_waiters();
    }

    /// Results without acknowledgement.
    pub(crate) fn unacknowledged(&self) -> Vec<TaskRef> {
        self.state().done.values().filter_map(|done| done.task).collect()
    }

    /// Ends when all results are acknowledged.
    pub(crate) async fn all_acknowledged(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.state().done.is_empty() {
                return;
            }
            settled.await;
        }
    }

    /// A new session begins: every result is to be sent again.
    pub(crate) fn rewind(&self) {
        let state = &mut *self.state();
        state.round.retain(|item| matches!(item, Item::Says(_)));
        state.unsent = state.done.keys().copied().collect();
        self.filled.notify_one();
    }

    /// The result of this task again, in this session: the server seems to have missed it.
    pub(crate) fn repeat(&self, task: &TaskRef) {
        self.state().unsent.push(task.task_id);
        self.filled.notify_one();
    }

    /// The next message; waits for one. For one caller at a time.
    pub(crate) async fn next(&self) -> Message {
        loop {
            if let Some(message) = self.try_next() {
                return message;
            }
            self.filled.notified().await;
        }
    }

    /// The next message, if there is one.
    pub(crate) fn try_next(&self) -> Option<Message> {
        self.state().pop()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Message> {
        loop {
            if self.round.is_empty() {
                self.fill();
            }
            match self.round.pop_front()? {
                Item::Says(message) => return Some(message),
                Item::Done(id) => {
                    if let Some(done) = self.done.get(&id) {
                        return Some(Message::Done(done.clone()));
                    }
                }
            }
        }
    }

    /// Takes up everything there is: rounds are bounded, so a flood of log lines does not keep results waiting.
    fn fill(&mut self) {
        let dropped = self.dropped.drain().map(|(_, (task, count))| {
            log_line(
                task,
                LogLevel::Warn,
                format!("{count} log lines dropped: they came faster than the server took them"),
            )
        });
        let logs = dropped.chain(self.logs.drain(..)).map(Message::Log);
        let progress = self.progress.drain().map(|(_, progress)| Message::Progress(progress));
        self.round.extend(logs.chain(progress).map(Item::Says));
        self.round.extend(self.unsent.drain(..).map(Item::Done));
    }
}

fn log_line(task: TaskRef, level: LogLevel, line: String) -> Log {
    Log { task: Some(task), at: Some(SystemTime::now().into()), level: level.into(), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(task_id: u64) -> TaskRef {
        TaskRef { task_id, epoch: 1 }
    }

    fn done(task: TaskRef) -> Done {
        Done { task: Some(task), result: None }
    }

    fn drain(outbox: &Outbox) -> Vec<Message> {
        std::iter::from_fn(|| outbox.try_next()).collect()
    }

    #[test]
    fn the_newest_progress_wins_and_a_result_comes_last() {
        let outbox = Outbox::default();
        outbox.progress(&task(1), None, "a".into());
        outbox.progress(&task(1), Some(50), "b".into());
        outbox.done(done(task(2)));
        outbox.log(&task(2), LogLevel::Info, "line".into());
        let messages = drain(&outbox);
        assert!(matches!(&messages[0], Message::Log(log) if log.line == "line"), "{messages:?}");
        assert!(matches!(&messages[1], Message::Progress(progress) if progress.status == "b"), "{messages:?}");
        assert!(matches!(&messages[2], Message::Done(_)), "{messages:?}");
        assert_eq!(messages.len(), 3);
    }

    #[test]
    fn results_are_sent_in_each_session_until_acknowledged() {
        let outbox = Outbox::default();
        outbox.done(done(task(1)));
        assert_eq!(drain(&outbox).len(), 1);
        assert_eq!(drain(&outbox).len(), 0, "once per session");
        outbox.rewind();
        assert_eq!(drain(&outbox).len(), 1);
        outbox.acknowledged(&TaskRef { task_id: 1, epoch: 2 });
        assert_eq!(outbox.unacknowledged(), [task(1)], "another epoch's acknowledgement is not ours");
        outbox.acknowledged(&task(1));
        outbox.rewind();
        assert_eq!(drain(&outbox).len(), 0);
    }

    #[test]
    fn a_flood_of_lines_drops_the_oldest_and_says_so() {
        let outbox = Outbox::default();
        for n in 0..LOG_LIMIT + 3 {
            outbox.log(&task(1), LogLevel::Info, n.to_string());
        }
        let lines: Vec<_> = drain(&outbox)
            .into_iter()
            .filter_map(|message| match message {
                Message::Log(log) => Some(log.line),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), LOG_LIMIT + 1);
        assert!(lines[0].starts_with("3 log lines dropped"), "{}", lines[0]);
        assert_eq!(lines[1], "3");
    }

    #[test]
    fn nothing_is_sent_of_a_forgotten_task() {
        let outbox = Outbox::default();
        outbox.log(&task(1), LogLevel::Info, "line".into());
        outbox.log(&task(1), LogLevel::Info, "line".into());
        assert!(outbox.try_next().is_some(), "the round has begun");
        outbox.progress(&task(1), None, "status".into());
        outbox.done(done(task(1)));
        outbox.forget(&task(1));
        assert_eq!(drain(&outbox).len(), 0);
        assert!(outbox.unacknowledged().is_empty());
    }
}
