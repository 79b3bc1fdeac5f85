//! The fleet: sessions of workers, and the dispatcher that gives them tasks.
//!
//! What is with whom is in the database; a session only remembers what it sent. A worker or server that dies therefore loses
//! nothing but time.

mod convert;
mod dispatch;
mod session;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sprout_app::{App, TaskKey, ports::LogOf};
use sprout_domain::{
    ApplianceId, ProviderKey, WorkerId,
    workflow::{StepKind, Subject, Task},
};
use sprout_proto::worker::SessionResponse;
use tokio::sync::{Notify, mpsc};
use tonic::Status;

/// All sessions of this process.
pub struct Fleet {
    app: Arc<App>,
    version: String,
    sessions: Mutex<HashMap<WorkerId, Session>>,
    /// Room for tasks appeared in some session.
    room: Notify,
}

/// One open session.
struct Session {
    id: String,
    drivers: Vec<String>,
    slots: usize,
    running: HashMap<TaskKey, Running>,
    outgoing: mpsc::Sender<Result<SessionResponse, Status>>,
}

/// What a session needs to know of a task it gave out.
#[derive(Debug, Clone)]
struct Running {
    step: StepKind,
    provider: ProviderKey,
    subject: Subject,
}

impl Running {
    fn of(task: &Task) -> (TaskKey, Self) {
        (TaskKey { id: task.id, epoch: task.epoch }, Self { step: task.step, provider: task.provider.clone(), subject: task.subject.clone() })
    }

    fn log(&self) -> LogOf {
        match &self.subject {
            Subject::Appliance(id) => LogOf::Appliance(*id),
            Subject::Provider(_) | Subject::Nothing => LogOf::Provider(self.provider.clone()),
        }
    }

    fn appliance(&self) -> Option<ApplianceId> {
        match self.subject {
            Subject::Appliance(id) => Some(id),
            Subject::Provider(_) | Subject::Nothing => None,
        }
    }
}

impl Fleet {
    /// A fleet without workers. `version` is the server's, told to workers.
    pub fn new(app: Arc<App>, version: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { app, version: version.into(), sessions: Mutex::default(), room: Notify::new() })
    }

    /// Ends all sessions; the workers reconnect, here or elsewhere.
    pub fn close(&self) {
        self.sessions().clear();
    }

    /// Ids of the workers connected to this process.
    pub fn connected(&self) -> HashSet<WorkerId> {
        self.sessions().keys().cloned().collect()
    }

    /// Ends a session, unless a newer one took its place.
    fn end(&self, worker: &WorkerId, session: &str) {
        let mut sessions = self.sessions();
        if sessions.get(worker).is_some_and(|open| open.id == session) {
            sessions.remove(worker);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<WorkerId, Session>> {
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
