//! What the worker still has to tell the server, bounded: steps put in at any rate, the session takes out as fast as the
//! connection allows.
//!
//! Each task with something to say has its turn, one message each, so that a flood from one keeps no other waiting; what a task
//! says comes in order, its result last. Of progress only the newest is kept. Log lines are kept up to a limit per task and one
//! for all, then the task's oldest are dropped and counted, and the server is told. Results are never dropped: each stays until
//! the server acknowledged it (or the task is no longer ours), and is sent again in every new session. Whatever happens to one
//! message costs the same, however many others wait.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use sprout_proto::worker::{Done, Leaving, Log, LogLevel, Progress, TaskRef, session_request::Message};
use tokio::sync::Notify;

#[cfg(test)]
mod tests;

/// Log lines of one task that wait for the connection.
const TASK_LINES: usize = 500;
/// The same of all tasks; at 200 bytes each some 1 MB, at worst (lines of 4 kB) 20 MB.
const LINES: usize = 5_000;

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
    leaving: Option<Farewell>,
    tasks: BTreeMap<u64, Said>,
    /// Tasks with something to send, in turn. One that was forgotten is skipped.
    turns: VecDeque<u64>,
    /// Log lines of all tasks.
    lines: usize,
    /// Results without acknowledgement.
    results: usize,
}

/// That the worker is leaving.
#[derive(Debug, PartialEq, Eq)]
enum Farewell {
    Unsaid,
    Said,
}

/// What one task has to say.
#[derive(Debug)]
struct Said {
    task: TaskRef,
    /// Lines dropped since the server was last told how many.
    dropped: u64,
    lines: VecDeque<Log>,
    progress: Option<Progress>,
    /// The result, until it is acknowledged.
    done: Option<Done>,
    /// The result was not yet sent in this session.
    unsent: bool,
    /// It is among the turns.
    queued: bool,
}

impl Outbox {
    /// A step goes on.
    pub(crate) fn progress(&self, task: &TaskRef, percent: Option<u32>, status: String) {
        self.put(task, |said, _| {
            // Nothing comes after a result.
            if said.done.is_none() {
                said.progress = Some(Progress { task: Some(*task), percent, status });
            }
        });
    }

    /// A step has something to log.
    pub(crate) fn log(&self, task: &TaskRef, level: LogLevel, line: String) {
        self.put(task, |said, lines| {
            if said.lines.len() >= TASK_LINES || *lines >= LINES {
                said.dropped += 1;
                if said.lines.pop_front().is_none() {
                    // Others fill the outbox: it is this line that has no room.
                    return;
                }
                *lines -= 1;
            }
            said.lines.push_back(log_line(*task, level, line));
            *lines += 1;
        });
    }

    /// A step ended.
    pub(crate) fn done(&self, done: Done) {
        let Some(task) = done.task else { return };
        self.put(&task, |said, _| {
            (said.progress, said.done, said.unsent) = (None, Some(done), true);
        });
    }

    /// The server dealt with a result.
    pub(crate) fn acknowledged(&self, task: &TaskRef) {
        self.settle(task, |said| said.done.is_some());
    }

    /// The task is no longer ours: nothing of it is sent any more.
    pub(crate) fn forget(&self, task: &TaskRef) {
        self.settle(task, |_| true);
    }

    /// The assignment of this task whose result is not acknowledged, if there is one.
    pub(crate) fn ended(&self, task_id: u64) -> Option<TaskRef> {
        self.state().tasks.get(&task_id).filter(|said| said.done.is_some()).map(|said| said.task)
    }

    /// Results without acknowledgement.
    pub(crate) fn unacknowledged(&self) -> Vec<TaskRef> {
        self.state().tasks.values().filter(|said| said.done.is_some()).map(|said| said.task).collect()
    }

    /// Ends when all results are acknowledged.
    pub(crate) async fn all_acknowledged(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.state().results == 0 {
                return;
            }
            settled.await;
        }
    }

    /// The worker is leaving: that is said before anything else.
    pub(crate) fn leave(&self) {
        self.state().leaving.get_or_insert(Farewell::Unsaid);
        self.filled.notify_one();
    }

    /// A new session begins: every result is to be sent again. Whether the worker is leaving, which Hello has to say.
    pub(crate) fn rewind(&self) -> bool {
        let state = &mut *self.state();
        for (id, said) in state.tasks.iter_mut().filter(|(_, said)| said.done.is_some()) {
            said.unsent = true;
            queue(&mut state.turns, *id, said);
        }
        self.filled.notify_one();
        state.leaving.as_mut().is_some_and(|farewell| {
            *farewell = Farewell::Said;
            true
        })
    }

    /// The result of this task again, in this session: the server seems to have missed it.
    pub(crate) fn repeat(&self, task: &TaskRef) {
        let state = &mut *self.state();
        if let Some(said) = state.tasks.get_mut(&task.task_id).filter(|said| said.done.is_some()) {
            said.unsent = true;
            queue(&mut state.turns, task.task_id, said);
        }
        self.filled.notify_one();
    }

    /// The next message; waits for one. For one caller at a time. Nothing is lost if it is given up.
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

    /// Changes what a task has to say. `change` gets the number of lines of all tasks, too.
    fn put(&self, task: &TaskRef, change: impl FnOnce(&mut Said, &mut usize)) {
        let state = &mut *self.state();
        if state.tasks.get(&task.task_id).is_some_and(|said| said.task.epoch < task.epoch) {
            // What an older assignment left to say is of no interest any more.
            state.remove(task.task_id);
        }
        let said = state.tasks.entry(task.task_id).or_insert_with(|| Said::of(*task));
        if said.task != *task {
            return;
        }
        let results = usize::from(said.done.is_some());
        change(said, &mut state.lines);
        state.results += usize::from(said.done.is_some()) - results;
        queue(&mut state.turns, task.task_id, said);
        self.filled.notify_one();
    }

    /// Removes what this assignment has to say, if it `ought`.
    fn settle(&self, task: &TaskRef, ought: impl FnOnce(&Said) -> bool) {
        let mut state = self.state();
        if state.tasks.get(&task.task_id).is_some_and(|said| said.task == *task && ought(said)) {
            state.remove(task.task_id);
        }
        drop(state);
        self.settled.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Message> {
        if self.leaving == Some(Farewell::Unsaid) {
            self.leaving = Some(Farewell::Said);
            return Some(Message::Leaving(Leaving {}));
        }
        loop {
            let id = self.turns.pop_front()?;
            let Some(said) = self.tasks.get_mut(&id) else { continue };
            let lines = said.lines.len();
            let message = said.pop();
            self.lines -= lines - said.lines.len();
            said.queued = said.has_more();
            if said.queued {
                self.turns.push_back(id);
            } else if said.done.is_none() {
                self.tasks.remove(&id);
            }
            if message.is_some() {
                return message;
            }
        }
    }

    fn remove(&mut self, task_id: u64) {
        if let Some(said) = self.tasks.remove(&task_id) {
            self.lines -= said.lines.len();
            self.results -= usize::from(said.done.is_some());
        }
    }
}

impl Said {
    fn of(task: TaskRef) -> Self {
        Self { task, dropped: 0, lines: VecDeque::new(), progress: None, done: None, unsent: false, queued: false }
    }

    fn has_more(&self) -> bool {
        self.dropped > 0 || !self.lines.is_empty() || self.progress.is_some() || self.unsent
    }

    fn pop(&mut self) -> Option<Message> {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let line = format!("{dropped} log lines dropped: they came faster than the server took them");
            return Some(Message::Log(log_line(self.task, LogLevel::Warn, line)));
        }
        if let Some(line) = self.lines.pop_front() {
            return Some(Message::Log(line));
        }
        if let Some(progress) = self.progress.take() {
            return Some(Message::Progress(progress));
        }
        if std::mem::take(&mut self.unsent) { self.done.clone().map(Message::Done) } else { None }
    }
}

fn queue(turns: &mut VecDeque<u64>, id: u64, said: &mut Said) {
    if !said.queued {
        said.queued = true;
        turns.push_back(id);
    }
}

fn log_line(task: TaskRef, level: LogLevel, line: String) -> Log {
    Log { task: Some(task), at: Some(SystemTime::now().into()), level: level.into(), line }
}
