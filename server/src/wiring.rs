//! Which implementation is behind which port.

use std::{fs::DirBuilder, io::ErrorKind, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc};

use sprout_api::{SessionHandler, SessionRequests, SessionResponses};
use sprout_app::{
    App, LocalBus,
    ports::{Bus, Ports, Store as _},
};
use sprout_bus::RedisBus;
use sprout_config::ServerConfig;
use sprout_domain::{Catalogue, Secret, WorkerId};
use sprout_fleet::Fleet;
use sprout_logs::{FileLogs, Limits};
use sprout_store::{SeaStore, StoreOptions};
use tonic::{Status, async_trait};

use crate::Error;

/// The use cases over the configured database and log files.
pub(crate) struct Wired {
    pub(crate) app: Arc<App>,
    pub(crate) store: SeaStore,
    pub(crate) logs: Arc<FileLogs>,
}

impl Wired {
    /// Opens the database, then the logs: a database that refuses leaves nothing behind.
    pub(crate) async fn open(server: &ServerConfig, catalogue: Catalogue) -> Result<Self, Error> {
        let store = SeaStore::open(&store_options(server)).await?;
        let logs = match FileLogs::open(&server.logs(), Limits::default()) {
            Ok(logs) => Arc::new(logs),
            Err(error) => {
                store.close().await;
                return Err(Error::Logs(error));
            }
        };
        let ports = Ports { bus: bus(server, &store).await?, store: Arc::new(store.clone()), logs: logs.clone() };
        Ok(Self { app: App::new(ports, catalogue).await?, store, logs })
    }

    /// Ends what was opened, with everything written.
    pub(crate) async fn close(self) {
        self.logs.flush().await;
        self.store.close().await;
    }
}

/// Wake-ups: within this process, or also to and from other servers.
async fn bus(server: &ServerConfig, store: &SeaStore) -> Result<Arc<dyn Bus>, Error> {
    Ok(match &server.redis {
        Some(url) => Arc::new(RedisBus::connect(&Secret::new(url.expose()), &store.installation_id().await?)?),
        None => Arc::new(LocalBus::default()),
    })
}

/// How the store is opened.
pub(crate) fn store_options(server: &ServerConfig) -> StoreOptions {
    StoreOptions {
        max_connections: server.database.max_connections(),
        ..StoreOptions::new(Secret::new(server.database.url().expose()))
    }
}

/// Makes the schema current, and before it the data directory; what it made for a database that refuses is removed again.
/// Returns the names of the changes.
pub(crate) async fn migrate(server: &ServerConfig) -> Result<Vec<String>, Error> {
    let data_dir = server.data_dir();
    let made = server.database.is_embedded() && make_data_dir(&data_dir)?;
    match sprout_store::migrate(&store_options(server)).await {
        Ok(report) => Ok(report.applied),
        Err(error) => {
            if made {
                // Only if it is empty; else something of value is in it.
                let _ = std::fs::remove_dir(&data_dir);
            }
            Err(error.into())
        }
    }
}

/// Makes the data directory, for this user only. Whether it was made now.
fn make_data_dir(path: &Path) -> Result<bool, Error> {
    let made = |source| Error::DataDir { path: path.to_owned(), source };
    if path.is_dir() {
        return Ok(false);
    }
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(made(error)),
    }
}

/// Sessions of workers, from the API to the fleet.
pub(crate) struct FleetSessions(pub(crate) Arc<Fleet>);

#[async_trait]
impl SessionHandler for FleetSessions {
    async fn session(&self, worker: WorkerId, incoming: SessionRequests) -> Result<SessionResponses, Status> {
        Ok(Box::pin(self.0.session(worker, incoming).await?))
    }
}
