//! Opening and migrating a database, with an answer for everything that can be wrong with it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
    sqlx::{
        self, ConnectOptions as _, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use sea_orm_migration::{MigratorTrait as _, SchemaManager};
use sprout_app::ports::{Store, Tx};
use sprout_domain::{Error, Reason, Result, Secret, Timestamp};
use sprout_migrations::Migrator;
use tokio::sync::watch;

use crate::{
    error::{from_db, from_sqlx, late, unavailable},
    files, postgres,
    pulse::{Pulse, while_it_answers},
    simulation::{Moment, Simulation, bounded, pass},
    tx::{Begun, SeaTx},
};

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE` (`?host=/directory` for a Unix socket).
    pub url: Secret,
    /// Connections to PostgreSQL at most, or to SQLite for reading, at most.
    pub max_connections: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

impl StoreOptions {
    /// The usual limits.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the changes applied now, in order; empty: the database was up to date.
    pub applied: Vec<String>,
}

/// The store on PostgreSQL or SQLite.
#[derive(Debug, Clone)]
pub struct SeaStore {
    /// On SQLite a single connection, so that writers queue here instead of failing there.
    pub(crate) writer: DatabaseConnection,
    reader: DatabaseConnection,
    /// One statement, seen from here; a little longer than the database allows itself.
    deadline: Duration,
    simulation: Option<Arc<dyn Simulation>>,
    /// On PostgreSQL.
    pulse: Option<Arc<Pulse>>,
}

/// How busy a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections to the database.
    pub open: u32,
    /// Those in use.
    pub busy: u32,
    /// Transactions that this process committed.
    pub commits: u64,
}

/// Makes the schema current, in one transaction. Creates a SQLite file that is missing.
pub async fn migrate(options: &StoreOptions) -> Result<MigrationReport> {
    let place = Place::read(options)?;
    if let Place::File(file) = &place {
        files::prepare(file, true)?;
    }
    let database = place.connect(options, 1, Use::Migrate, None).await?;
    let result = apply(&database).await;
    close(&database).await;
    result.map_err(|error| place.explain(error))
}

/// Names of the changes that the database lacks, in order. Changes nothing.
pub async fn pending(options: &StoreOptions) -> Result<Vec<String>> {
    let place = Place::read(options)?;
    if let Place::File(file) = &place {
        files::prepare(file, false)?;
    }
    let database = place.connect(options, 1, Use::Read, None).await?;
    let missing = missing(&SchemaManager::new(&database)).await;
    close(&database).await;
    missing
}

/// Opens a database of any schema, in which nothing can be changed.
pub(crate) async fn read_only(options: &StoreOptions) -> Result<DatabaseConnection> {
    match Place::read(options)? {
        place @ Place::Server(_) => place.connect(options, 1, Use::Read, None).await,
        Place::File(file) => {
            if !file.is_file() {
                let message = format!("there is no file {}; check the URL of the database", file.display());
                return Err(Error::new(Reason::InvalidArgument, message));
            }
            // Without the journal mode of our own files, which would be written into this one.
            let connect = SqliteConnectOptions::new().filename(&file).read_only(true).disable_statement_logging();
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await;
            let pool = pool.map_err(|error| files::explain(&file, from_sqlx(&error)))?;
            Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
        }
    }
}

impl SeaStore {
    /// Opens a database whose schema is exactly the one this program knows.
    pub async fn open(options: &StoreOptions) -> Result<Self> {
        let place = Place::read(options)?;
        let most = options.max_connections.max(1);
        let (writer, reader, pulse) = match &place {
            Place::File(file) => {
                files::prepare(file, false)?;
                let writer = place.connect(options, 1, Use::Write, None).await?;
                (writer, place.connect(options, most, Use::Read, None).await?, None)
            }
            Place::Server(server) => {
                let pulse = Pulse::begin(postgres_options(server, options, Use::Read));
                let pool = place.connect(options, most, Use::Write, Some(pulse.clone())).await?;
                (pool.clone(), pool, Some(pulse))
            }
        };
        let deadline = options.statement_timeout + Duration::from_secs(2);
        let store = Self { writer, reader, deadline, simulation: None, pulse };
        if let Err(error) = store.check().await {
            store.close().await;
            return Err(place.explain(error));
        }
        Ok(store)
    }

    /// The schema is the one this program knows, and it can be written to.
    async fn check(&self) -> Result<()> {
        let missing = missing(&SchemaManager::new(&self.writer)).await?;
        if let Some(first) = missing.first() {
            return Err(unavailable(format!(
                "the database lacks {} change(s) of its schema, from {first} on; run: sprout-server migrate, with the same configuration",
                missing.len(),
            )));
        }
        self.write().await.map(drop)
    }

    /// Closes all connections, after those in use were given back.
    pub async fn close(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.stop();
        }
        close(&self.writer).await;
        close(&self.reader).await;
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        let (open, idle) = match self.writer.get_database_backend() {
            DbBackend::Postgres => {
                let pool = self.writer.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => [&self.writer, &self.reader].iter().fold((0, 0), |(open, idle), database| {
                let pool = database.get_sqlite_connection_pool();
                (open + pool.size(), idle + pool.num_idle())
            }),
        };
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        Load { open, busy: open.saturating_sub(idle), commits: crate::tx::commits() }
    }

    /// The same store, as a process in a simulation has it.
    #[must_use]
    pub fn simulated(self, simulation: Arc<dyn Simulation>) -> Self {
        Self { simulation: Some(simulation), pulse: None, ..self }
    }

    /// Begins a transaction that writes, or only reads.
    pub(crate) async fn begin(&self, writes: bool) -> Result<SeaTx> {
        let simulation = self.simulation.as_deref();
        pass(simulation, Moment::Begin).await?;
        let on = if writes { &self.writer } else { &self.reader };
        let beginning = async {
            if on.get_database_backend() == DbBackend::Postgres {
                let how = if writes { postgres::WRITE } else { postgres::READ };
                let pool = on.get_postgres_connection_pool();
                let (begun, now) = postgres::Transaction::begin(pool, how, self.deadline).await?;
                return Ok((Begun::Postgres(begun), now));
            }
            let (on, mode) = (on.clone(), writes.then_some(SqliteTransactionMode::Immediate));
            // One that only reads is deferred: its snapshot is taken by its first query.
            let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
            let begin = async move { on.begin_with_options(options).await };
            let opened = if simulation.is_some() {
                begin.await?
            } else {
                // In a task of its own, which nobody can give up: sqlx does not know that a transaction has begun until it was told so, and would
                // hand the connection to someone else with the transaction still open.
                tokio::spawn(begin).await.map_err(|error| DbErr::Custom(error.to_string()))??
            };
            let now = chrono::Utc::now();
            Ok((Begun::Sqlite(opened), Timestamp::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)))
        };
        let bounded = bounded(simulation, self.deadline, Box::pin(beginning));
        let (transaction, now) = while_it_answers(self.pulse.as_ref(), bounded).await?;
        Ok(SeaTx::begun(transaction, now, self.deadline, self.simulation.clone(), self.pulse.clone()))
    }
}

#[async_trait]
impl Store for SeaStore {
    async fn write(&self) -> Result<Box<dyn Tx>> {
        Ok(Box::new(self.begin(true).await?))
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        Ok(Box::new(self.begin(false).await?))
    }

    fn answers(&self) -> watch::Receiver<bool> {
        // A file is always there; and who waits for it to change is told that it never will.
        self.pulse.as_ref().map_or_else(|| watch::channel(true).1, |pulse| pulse.answers())
    }

    async fn installation_id(&self) -> Result<String> {
        let find = <crate::entities::installation::Entity as sea_orm::EntityTrait>::find().one(&self.reader);
        let row = bounded(self.simulation.as_deref(), self.deadline, find).await?;
        row.map(|row| row.installation_id).ok_or_else(|| Error::internal("the database has no installation id"))
    }
}

/// Statements that each connection keeps prepared.
const PREPARED: usize = 512;

/// A change of the schema may rewrite a table.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Held on PostgreSQL while migrating, so that two that migrate follow one another.
const MIGRATION_LOCK: i64 = 0x5350_524f_5554;

/// What connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
    Migrate,
}

enum Place {
    File(PathBuf),
    Server(Box<PgConnectOptions>),
}

impl Place {
    fn read(options: &StoreOptions) -> Result<Self> {
        let url = options.url.expose();
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') {
                return Err(unavailable("the database URL names no file; write sqlite:PATH"));
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let server = PgConnectOptions::from_str(url).map_err(|error| {
                unavailable("the database URL is not one; write postgres://USER:PASSWORD@HOST/DATABASE").because(error)
            })?;
            return Ok(Self::Server(Box::new(server)));
        }
        Err(unavailable(
            "the database URL has an unknown scheme; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
        ))
    }

    async fn connect(
        &self,
        options: &StoreOptions,
        most: u32,
        purpose: Use,
        pulse: Option<Arc<Pulse>>,
    ) -> Result<DatabaseConnection> {
        match self {
            Self::File(file) => {
                sqlite(file, options, most, purpose).await.map_err(|error| self.explain(from_sqlx(&error)))
            }
            Self::Server(server) => {
                let connect = postgres_options(server, options, purpose);
                // The pool would try again and again and forget why; this one connection says what is wrong.
                let probe = tokio::time::timeout(options.acquire_timeout, connect.connect()).await;
                let probe = probe.map_err(|_| self.explain(late()))?;
                let probe = probe.map_err(|error| self.explain(from_sqlx(&error)))?;
                if let Err(error) = probe.close().await {
                    tracing::debug!(%error, "the first connection to the database did not close cleanly");
                }
                Ok(postgres_pool(connect, options, most, pulse))
            }
        }
    }

    /// Adds to an error which database it is about; user and password stay out.
    fn explain(&self, mut error: Error) -> Error {
        match self {
            _ if error.reason != Reason::DatabaseUnavailable => error,
            Self::File(file) => files::explain(file, error),
            Self::Server(server) => {
                let place = match server.get_socket() {
                    Some(socket) => socket.display().to_string(),
                    None => format!("{}:{}", server.get_host(), server.get_port()),
                };
                error.message = format!("PostgreSQL at {place}: {}", error.message);
                error
            }
        }
    }
}

async fn sqlite(
    file: &Path,
    options: &StoreOptions,
    most: u32,
    purpose: Use,
) -> Result<DatabaseConnection, sqlx::Error> {
    let mut connect = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.acquire_timeout)
        .disable_statement_logging();
    if purpose == Use::Read {
        connect = connect.pragma("query_only", "on");
    }
    let pool = SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            // A rollback that failed (full disk) leaves a connection unfit for the next transaction.
            let fit = !connection.is_in_transaction();
            Box::pin(async move { Ok(fit) })
        })
        .connect_with(connect)
        .await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn postgres_options(server: &PgConnectOptions, options: &StoreOptions, purpose: Use) -> PgConnectOptions {
    let statement_timeout = if purpose == Use::Migrate { MIGRATION_TIMEOUT } else { options.statement_timeout };
    server
        .clone()
        .application_name("sprout-server")
        // All statements there are, each in a few forms.
        .statement_cache_capacity(PREPARED)
        .options([
            ("statement_timeout", format!("{}ms", statement_timeout.as_millis())),
            // A server that vanished in the middle of a transaction must not keep its locks.
            ("idle_in_transaction_session_timeout", "30s".to_owned()),
        ])
        .disable_statement_logging()
}

fn postgres_pool(
    connect: PgConnectOptions,
    options: &StoreOptions,
    most: u32,
    pulse: Option<Arc<Pulse>>,
) -> DatabaseConnection {
    let pool = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let doubted = pulse.as_ref().is_some_and(|pulse| pulse.doubts(meta.idle_for));
            Box::pin(async move {
                // In use a moment ago, and no outage since: it is not worth a round trip.
                if doubted || meta.idle_for > Duration::from_secs(1) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect);
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

async fn apply(database: &DatabaseConnection) -> Result<MigrationReport> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database.begin_with_options(immediate).await.map_err(from_db)?;
    if database.get_database_backend() == DbBackend::Postgres {
        let lock = format!("select pg_advisory_xact_lock({MIGRATION_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(from_db)?;
    }
    let applied = missing(&SchemaManager::new(&transaction)).await?;
    if !applied.is_empty() {
        Migrator::up(&transaction, None).await.map_err(from_db)?;
    }
    transaction.commit().await.map_err(from_db)?;
    Ok(MigrationReport { applied })
}

/// Names of changes not applied; an error if changes were applied that this program does not know.
async fn missing(schema: &SchemaManager<'_>) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Applied {
        version: String,
    }
    let table = Migrator::migration_table_name().to_string();
    let applied = if schema.has_table(&table).await.map_err(from_db)? {
        let database = schema.get_connection();
        let select = Statement::from_string(database.get_database_backend(), format!("select version from {table}"));
        let rows = database.query_all_raw(select).await.map_err(from_db)?;
        let rows: Result<Vec<Applied>, DbErr> = rows.iter().map(|row| Applied::from_query_result(row, "")).collect();
        rows.map_err(from_db)?
    } else {
        Vec::new()
    };
    let applied: BTreeSet<String> = applied.into_iter().map(|row| row.version).collect();
    let known: Vec<String> = Migrator::migrations().iter().map(|change| change.name().to_owned()).collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        return Err(unavailable(format!(
            "the database was changed by a newer release ({unknown}); run that release or a later one"
        )));
    }
    Ok(known.into_iter().filter(|name| !applied.contains(name)).collect())
}

pub(crate) async fn close(database: &DatabaseConnection) {
    if let Err(error) = database.close_by_ref().await {
        tracing::warn!(%error, "a connection to the database did not close cleanly");
    }
}
