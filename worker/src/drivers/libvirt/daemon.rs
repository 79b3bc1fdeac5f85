//! The way to one libvirt daemon. Its calls block, some for minutes when the daemon hangs, and cannot be interrupted;
//! so they run on threads of their own, few at a time, and nobody waits for one longer than its deadline. (Not on the
//! runtime's threads for blocking work: the runtime waits for those when it ends, and a worker must be able to leave.)

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};
use virt::{connect::Connect, domain::Domain, error::ErrorNumber, network::Network, storage_pool::StoragePool};

use super::{
    errors::{Doing, invalid, is},
    settings::Settings,
};
use crate::driver::{DriverError, Reason, Result};

/// Where the library may do so safely, a daemon that answers nothing for this long (times the count) is given up.
const KEEPALIVE_SECONDS: i32 = 5;
const KEEPALIVE_COUNT: u32 = 3;
/// libvirt 10.4.0. Before, a connection that two threads use at once, be it the one that sends keep-alive messages, may
/// crash the process (CVE-2024-4418).
const SAFE_WITH_KEEPALIVE: u32 = 10_004_000;

/// Connections to one daemon, as many as there are calls under way: each is used by one thread at a time, for a call that
/// is stuck must not hold up others, and for [`SAFE_WITH_KEEPALIVE`].
pub(super) struct Link {
    settings: Arc<Settings>,
    idle: Mutex<Vec<Connect>>,
    room: Arc<Semaphore>,
}

impl Link {
    /// Calls beyond `at_once` wait: a daemon that hangs costs that many threads.
    pub(super) fn new(settings: Arc<Settings>, at_once: usize) -> Arc<Self> {
        Arc::new(Self { settings, idle: Mutex::default(), room: Arc::new(Semaphore::new(at_once)) })
    }

    /// Runs `work` on a thread where it may block, for at most `limit`. Work that is still stuck then goes on to its
    /// next look at the time ([`Call::in_time`]), which ends it; its place stays taken until it does.
    pub(super) async fn run<T, F>(self: &Arc<Self>, limit: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Call) -> Result<T> + Send + 'static,
    {
        let until = Instant::now() + limit;
        let answer = timeout(limit, async {
            let place = self.room.clone().acquire_owned().await.map_err(closed)?;
            let link = self.clone();
            on_thread(move || {
                let _place = place;
                let call = Call { connection: link.take()?, settings: link.settings.clone(), until };
                let result = work(&call);
                link.give_back(call.connection);
                result
            })
            .await?
        });
        let result = answer.await.unwrap_or_else(|_| Err(late(limit)));
        result.map_err(|error| match error.reason {
            Reason::Unreachable | Reason::AccessDenied => {
                DriverError::new(error.reason, format!("libvirt at {}: {}", self.settings.uri, error.message))
            }
            _ => error,
        })
    }

    /// A connection that the daemon answers on. The question costs a tenth of a millisecond, and spares the caller the
    /// failure of a connection that died while nobody looked.
    fn take(&self) -> Result<Connect> {
        loop {
            let Some(idle) = self.idle().pop() else { return open(&self.settings.uri) };
            if idle.lib_version().is_ok() {
                return Ok(idle);
            }
        }
    }

    fn give_back(&self, connection: Connect) {
        if connection.is_alive().unwrap_or(false) {
            self.idle().push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connect>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Closing says good-bye to the daemon, which may hang.
        let idle = std::mem::take(&mut *self.idle());
        if !idle.is_empty() {
            thread::spawn(move || drop(idle));
        }
    }
}

/// Runs work that may block for long.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let run = move || {
        if answer.send(work()).is_err() {
            tracing::debug!("an answer of libvirt came after its deadline");
        }
    };
    thread::Builder::new().name("libvirt-call".into()).spawn(run).map_err(closed)?;
    answered.await.map_err(closed)
}

fn open(uri: &str) -> Result<Connect> {
    let keepalive = start_library()?;
    let connection = Connect::open(Some(uri)).doing("connect")?;
    if keepalive {
        // Answers 1 where the transport knows no keep-alive.
        connection.set_keep_alive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT).doing("turn on keep-alive")?;
    }
    Ok(connection)
}

/// Prepares the library, once per process; whether connections may have keep-alive, which needs libvirt's event loop.
fn start_library() -> Result<bool> {
    static STARTED: OnceLock<Result<bool>> = OnceLock::new();
    let start = || {
        virt::error::clear_error_callback(); // by default the library prints each error
        if Connect::version().doing("ask for the version of the client library")? < SAFE_WITH_KEEPALIVE {
            return Ok(false);
        }
        virt::event::event_register_default_impl().doing("start libvirt's event loop")?;
        thread::Builder::new().name("libvirt-events".into()).spawn(run_events).map_err(closed)?;
        Ok(true)
    };
    STARTED.get_or_init(start).clone()
}

fn run_events() {
    loop {
        if let Err(error) = virt::event::event_run_default_impl() {
            tracing::warn!(%error, "a turn of libvirt's event loop failed");
            thread::sleep(Duration::from_secs(1));
        }
    }
}

fn closed(error: impl std::fmt::Display) -> DriverError {
    DriverError::new(Reason::ProviderError, format!("the libvirt driver broke off: {error}; see the worker's log"))
}

fn late(limit: Duration) -> DriverError {
    let message = format!("no answer within {} s; see that libvirt runs there and is not overloaded", limit.as_secs());
    DriverError::new(Reason::Unreachable, message)
}

/// What a piece of blocking work has at hand.
pub(super) struct Call {
    connection: Connect,
    pub(super) settings: Arc<Settings>,
    until: Instant,
}

impl Call {
    pub(super) fn connection(&self) -> &Connect {
        &self.connection
    }

    /// Fails when nobody waits for the result any more; asked before each change, so that work which was stuck does
    /// not go on when others may have begun to undo it.
    pub(super) fn in_time(&self) -> Result<()> {
        if Instant::now() < self.until {
            Ok(())
        } else {
            Err(DriverError::new(Reason::Unreachable, "it took too long; try again"))
        }
    }

    /// The domain of this name; [`Reason::ApplianceNotFound`] if there is none.
    pub(super) fn domain(&self, name: &str) -> Result<Domain> {
        self.domain_if_any(name)?.ok_or_else(|| DriverError::not_found(name))
    }

    /// The domain of this name; `None` only if libvirt says there is none.
    pub(super) fn domain_if_any(&self, name: &str) -> Result<Option<Domain>> {
        match self.connection.lookup_domain_by_name(name) {
            Err(error) if is(&error, ErrorNumber::NoDomain) => Ok(None),
            result => result.map(Some).doing(format_args!("look for {name}")),
        }
    }

    /// The storage pool of the settings, active.
    pub(super) fn pool(&self) -> Result<StoragePool> {
        let name = &self.settings.storage_pool;
        let pool = match self.connection.lookup_storage_pool_by_name(name) {
            Err(error) if is(&error, ErrorNumber::NoStoragePool) => {
                return Err(invalid(format!(
                    "libvirt has no storage pool {name:?}: correct the provider's storage_pool or define it (virsh pool-define-as)"
                )));
            }
            result => result.doing(format_args!("look for the storage pool {name:?}"))?,
        };
        if pool.is_active().doing(format_args!("look at the storage pool {name:?}"))? {
            return Ok(pool);
        }
        Err(invalid(format!(
            "the storage pool {name:?} (the provider's storage_pool) is not active: virsh pool-start {name}"
        )))
    }

    /// The network of the settings.
    pub(super) fn network(&self) -> Result<Network> {
        let name = &self.settings.network;
        match self.connection.lookup_network_by_name(name) {
            Err(error) if is(&error, ErrorNumber::NoNetwork) => Err(invalid(format!(
                "libvirt has no network {name:?}: correct the provider's network or define it (virsh net-define)"
            ))),
            result => result.doing(format_args!("look for the network {name:?}")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions
mod tests {
    use std::{fs, os::unix::net::UnixListener};

    use futures::future::join_all;
    use sprout_proto::worker::LibvirtSettings;

    use super::*;

    fn link(socket: &std::path::Path) -> Arc<Link> {
        let uri = format!("qemu+unix:///system?socket={}", socket.display());
        let (storage_pool, network) = ("pool".into(), "network".into());
        let settings = LibvirtSettings { uri, storage_pool, network, ..LibvirtSettings::default() };
        Link::new(Arc::new(Settings::try_from(&settings).unwrap()), 3)
    }

    fn threads_in_calls() -> usize {
        let names = fs::read_dir("/proc/self/task").unwrap();
        let names = names.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
        names.filter(|name| name.trim() == "libvirt-call").count()
    }

    #[tokio::test]
    async fn a_daemon_that_never_answers_costs_few_threads_however_many_ask() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let _silent = UnixListener::bind(&socket).unwrap();
        let link = link(&socket);
        let begun = Instant::now();
        let ask = || link.run(Duration::from_millis(300), |call| call.pool().map(drop));
        let answers = join_all((0..20).map(|_| ask()).collect::<Vec<_>>()).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.reason, Reason::Unreachable, "{error}");
            assert!(error.message.contains("qemu+unix"), "{error}");
        }
        assert!(threads_in_calls() <= 4, "its own three, and perhaps the one of another test");
    }

    #[tokio::test]
    async fn a_missing_socket_says_what_to_do() {
        let link = link(std::path::Path::new("/nonexistent/socket"));
        let error = link.run(Duration::from_secs(10), |call| call.pool().map(drop)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unreachable);
        assert!(error.message.contains("/nonexistent/socket") && error.message.contains("start libvirtd"), "{error}");
    }
}
