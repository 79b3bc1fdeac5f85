//! The way to one libvirt daemon. Its calls block, some for minutes when the daemon hangs, and cannot be interrupted;
//! so they run on threads of their own, few at a time, and nobody waits for one longer than its deadline. (Not on the
//! runtime's threads for blocking work: the runtime waits for those when it ends, and a worker must be able to leave.)

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
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

/// Calls in flight on one connection. The daemon handles 5 (its `max_client_requests`) and stops reading at that
/// number, keep-alive messages included, so more would make a busy connection look dead.
const CALLS_AT_ONCE: usize = 4;
/// A connection whose daemon answers nothing is given up after `KEEPALIVE_SECONDS * KEEPALIVE_COUNT`; calls stuck in it fail then.
const KEEPALIVE_SECONDS: i32 = 5;
const KEEPALIVE_COUNT: u32 = 3;

/// One connection, opened when first needed and again when it died.
pub(super) struct Link {
    settings: Arc<Settings>,
    connection: Mutex<Option<Arc<Connect>>>,
    room: Arc<Semaphore>,
    /// Held by whoever opens the connection: a daemon that hangs before keep-alive begins costs one thread, not one per call.
    opening: Arc<Semaphore>,
}

impl Link {
    pub(super) fn new(settings: Arc<Settings>) -> Arc<Self> {
        let (room, opening) = (Arc::new(Semaphore::new(CALLS_AT_ONCE)), Arc::new(Semaphore::new(1)));
        Arc::new(Self { settings, connection: Mutex::new(None), room, opening })
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
            let connection = self.connection().await?;
            let settings = self.settings.clone();
            on_thread(move || {
                let _place = place;
                work(&Call { connection, settings, until })
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

    async fn connection(self: &Arc<Self>) -> Result<Arc<Connect>> {
        if let Some(alive) = self.alive() {
            return Ok(alive);
        }
        let turn = self.opening.clone().acquire_owned().await.map_err(closed)?;
        if let Some(alive) = self.alive() {
            return Ok(alive);
        }
        let link = self.clone();
        on_thread(move || {
            let _turn = turn;
            let connection = Arc::new(open(&link.settings.uri)?);
            *link.slot() = Some(connection.clone());
            Ok(connection)
        })
        .await?
    }

    /// The connection, if it is not known to be dead; asks the client library only, not the daemon.
    fn alive(&self) -> Option<Arc<Connect>> {
        self.slot().clone().filter(|connection| connection.is_alive().unwrap_or(false))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Connect>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Closing says good-bye to the daemon, which may hang.
        if let Some(connection) = self.slot().take() {
            thread::spawn(move || drop(connection));
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
    start_event_loop()?;
    let connection = Connect::open(Some(uri)).doing("connect")?;
    // Answers 1 where the transport knows no keep-alive; a drop of such a connection is seen by itself.
    connection.set_keep_alive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT).doing("turn on keep-alive")?;
    Ok(connection)
}

/// Keep-alive and the discovery of broken connections need libvirt's event loop; there is one per process, for good.
fn start_event_loop() -> Result<()> {
    static STARTED: OnceLock<Result<()>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            virt::error::clear_error_callback(); // by default the library prints each error
            virt::event::event_register_default_impl().doing("start libvirt's event loop")?;
            let turn = || {
                loop {
                    if let Err(error) = virt::event::event_run_default_impl() {
                        tracing::warn!(%error, "a turn of libvirt's event loop failed");
                        thread::sleep(Duration::from_secs(1));
                    }
                }
            };
            thread::Builder::new().name("libvirt-events".into()).spawn(turn).map_err(closed)?;
            Ok(())
        })
        .clone()
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
    connection: Arc<Connect>,
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, os::unix::net::UnixListener};

    use futures::future::join_all;
    use sprout_proto::worker::LibvirtSettings;

    use super::*;

    fn link(socket: &std::path::Path) -> Arc<Link> {
        let uri = format!("qemu+unix:///system?socket={}", socket.display());
        let (storage_pool, network) = ("pool".into(), "network".into());
        let settings = LibvirtSettings { uri, storage_pool, network, ..LibvirtSettings::default() };
        Link::new(Arc::new(Settings::try_from(&settings).unwrap()))
    }

    fn threads_in_calls() -> usize {
        let names = fs::read_dir("/proc/self/task").unwrap();
        let names = names.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
        names.filter(|name| name.trim() == "libvirt-call").count()
    }

    #[tokio::test]
    async fn a_daemon_that_never_answers_costs_one_thread_however_many_ask() {
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
        assert!(threads_in_calls() <= 2, "its own, and perhaps the one of another test");
    }

    #[tokio::test]
    async fn a_missing_socket_says_what_to_do() {
        let link = link(std::path::Path::new("/nonexistent/socket"));
        let error = link.run(Duration::from_secs(10), |call| call.pool().map(drop)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unreachable);
        assert!(error.message.contains("/nonexistent/socket") && error.message.contains("start libvirtd"), "{error}");
    }
}
