//! The fleet: sessions of workers, and the dispatcher that gives them tasks.
//!
//! What is with whom is in the database; a session only remembers what it sent. A worker or server that dies therefore loses
//! nothing but time.
//!
//! Four loops serve all sessions together, so that what happens at the same time shares a transaction: `dispatch` gives out tasks, `finish` takes
//! results, `note` writes down who was heard and what goes on, `watch` tells workers what others decided. None waits for a worker that does
//! not read: its session is ended, it reconnects, and what it was not told is given out again.

mod convert;
mod dispatch;
mod finish;
mod log;
mod note;
mod refusal;
mod session;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sprout_app::{App, TaskKey, ports::LogOf};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, WorkerId,
    worker::Slots,
    workflow::{Lane, StepKind, Subject, Task},
};
use sprout_proto::worker::{SessionResponse, session_response::Message as Say};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};
use tonic::Status;

use self::{finish::Results, log::Lines};

/// All sessions of this process.
pub struct Fleet {
    app: Arc<App>,
    version: String,
    sessions: Mutex<BTreeMap<WorkerId, Session>>,
    /// Room for tasks appeared in some session.
    room: Notify,
    /// Results to be written down.
    results: Results,
    /// Lines to be logged.
    lines: Lines,
}

/// One open session.
struct Session {
    id: String,
    drivers: Vec<String>,
    slots: Slots,
    /// It is given nothing new: by request, or because it said so.
    drained: bool,
    leaving: bool,
    running: BTreeMap<TaskKey, Running>,
    /// Assignments it spoke of that are not its, each told once.
    refused: BTreeSet<TaskKey>,
    said: Said,
    outgoing: mpsc::Sender<Result<SessionResponse, Status>>,
    /// Dropped with the session, which tells whoever listens to the worker.
    _open: oneshot::Sender<()>,
}

/// What was said in a session and is not written down yet.
#[derive(Debug, Default)]
struct Said {
    /// When something was said last.
    at: Option<Instant>,
    /// The last heartbeat.
    beat: Option<u64>,
    /// What steps do just now.
    progress: BTreeMap<TaskKey, String>,
}

/// What a session needs to know of a task it gave out.
#[derive(Debug, Clone)]
struct Running {
    step: StepKind,
    lane: Lane,
    subject: Subject,
    provider: ProviderKey,
    /// The worker was told to stop it.
    told: bool,
    /// Its result is being written down.
    finishing: bool,
}

impl Running {
    fn of(task: &Task) -> (TaskKey, Self) {
        let (step, lane, subject, provider) = (task.step, task.lane, task.subject.clone(), task.provider.clone());
        (
            TaskKey { id: task.id, epoch: task.epoch },
            Self { step, lane, subject, provider, told: false, finishing: false },
        )
    }

    /// Where its lines go; none: they are not worth keeping.
    fn log(&self) -> Option<LogOf> {
        match &self.subject {
            Subject::Appliance(id) => Some(LogOf::Appliance(*id)),
            Subject::Provider(key) => Some(LogOf::Provider(key.clone())),
            Subject::Template(_) | Subject::Machine(_) => Some(LogOf::Provider(self.provider.clone())),
            Subject::Nothing => None,
        }
    }

    fn appliance(&self) -> Option<ApplianceId> {
        match self.subject {
            Subject::Appliance(id) => Some(id),
            Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
        }
    }
}

impl Session {
    /// Tells the worker; `false` if it does not read what it is told, or is gone.
    fn tell(&self, message: Say) -> bool {
        self.outgoing.try_send(Ok(SessionResponse { message: Some(message) })).is_ok()
    }
}

impl Fleet {
    /// A fleet without workers. `version` is the server's, told to workers.
    pub fn new(app: Arc<App>, version: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            app,
            version: version.into(),
            sessions: Mutex::default(),
            room: Notify::new(),
            results: Results::default(),
            lines: Lines::default(),
        })
    }

    /// Serves all sessions until dropped. Run once per process.
    pub async fn run(self: Arc<Self>) {
        let mut loops = JoinSet::new();
        loops.spawn(self.clone().dispatch_tasks());
        loops.spawn(self.clone().finish_tasks());
        loops.spawn(self.clone().note_what_was_said());
        loops.spawn(self.clone().watch_decisions());
        loops.spawn(self.write_lines());
        // None of them ends but by a defect, which the caller reports.
        if let Some(Err(error)) = loops.join_next().await {
            tracing::error!(%error, "a loop of the fleet ended");
        }
    }

    /// Ends all sessions; the workers reconnect, here or elsewhere.
    pub fn close(&self) {
        self.sessions().clear();
    }

    /// Ids of the workers connected to this process.
    pub fn connected(&self) -> BTreeSet<WorkerId> {
        self.sessions().keys().cloned().collect()
    }

    /// Ends a session, unless a newer one took its place; with `why` as its last word, if it is an error.
    fn end(&self, worker: &WorkerId, session: &str, why: Option<Error>) {
        let mut sessions = self.sessions();
        if sessions.get(worker).is_some_and(|open| open.id == session)
            && let Some(open) = sessions.remove(worker)
            && let Some(error) = why
        {
            // Who does not read does not learn why.
            let _ = open.outgoing.try_send(Err(refusal::status(error)));
        }
    }

    /// Ends a session whose worker does not read.
    fn end_unread(&self, worker: &WorkerId, session: &str) {
        tracing::warn!(%worker, session, "worker does not read what it is told; its session is ended");
        self.end(worker, session, None);
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A point at which tests kill the process: `SPROUT_CRASH_AT` names it, and a file below `SPROUT_CRASH_ONCE_DIR` remembers that it was hit, so that
/// the restarted process passes it. Only in debug builds.
pub(crate) fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("SPROUT_CRASH_AT").is_ok_and(|names| names.split(',').any(|n| n == name)) {
        /// Whoever dies keeps it: of two points reached at once, the second is for the next life.
        static DYING: Mutex<()> = Mutex::new(());
        let _dying = DYING.lock().unwrap_or_else(PoisonError::into_inner);
        let once = std::env::var_os("SPROUT_CRASH_ONCE_DIR").map(|dir| std::path::PathBuf::from(dir).join(name));
        let first = once.is_none_or(|path| std::fs::File::create_new(path).is_ok());
        if first {
            tracing::error!(name, "crash point reached: the process kills itself");
            // From a shell, which every machine has: sending a signal from here would need unsafe code.
            let _ =
                std::process::Command::new("sh").args(["-c", &format!("kill -KILL {}", std::process::id())]).status();
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
