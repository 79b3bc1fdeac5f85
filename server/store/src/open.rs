//! Opening and migrating a database, with an answer for everything that can be wrong with it.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr, time::Duration};

use async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, IsolationLevel,
    SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
    sqlx::{
        ConnectOptions as _, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use sea_orm_migration::{MigratorTrait as _, SchemaManager};
use sprout_app::ports::{Store, Tx};
use sprout_domain::{Error, Result, Secret};
use sprout_migrations::Migrator;

use crate::{
    error::{from_db, from_sqlx, late, unavailable},
    files,
    tx::SeaTx,
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
}

/// Makes the schema current. Creates a SQLite file that is missing.
pub async fn migrate(options: &StoreOptions) -> Result<MigrationReport> {
    let place = Place::read(options)?;
    let made = match &place {
        Place::File(file) => files::prepare(file, true).await?,
        Place::Server(_) => false,
    };
    let result = migrate_at(&place, options).await;
    if let (Err(_), true, Place::File(file)) = (&result, made, &place) {
        files::discard(file).await;
    }
    result
}

/// Names of the changes that the database lacks, in order. Changes nothing.
pub async fn pending(options: &StoreOptions) -> Result<Vec<String>> {
    let place = Place::read(options)?;
    if let Place::File(file) = &place {
        files::prepare(file, false).await?;
    }
    let database = place.connect(options, 1, MIGRATION_TIMEOUT).await?;
    let missing = missing(&database).await;
    close(&database).await;
    missing
}

impl SeaStore {
    /// Opens a database whose schema is exactly the one this program knows.
    pub async fn open(options: &StoreOptions) -> Result<Self> {
        let place = Place::read(options)?;
        let most = options.max_connections.max(1);
        let (writer, reader) = match &place {
            Place::File(file) => {
                files::prepare(file, false).await?;
                let writer = place.connect(options, 1, options.statement_timeout).await?;
                (writer, place.connect(options, most, options.statement_timeout).await?)
            }
            Place::Server(_) => {
                let pool = place.connect(options, most, options.statement_timeout).await?;
                (pool.clone(), pool)
            }
        };
        let store = Self { writer, reader, deadline: options.statement_timeout + Duration::from_secs(2) };
        match missing(&store.writer).await {
            Ok(missing) if missing.is_empty() => Ok(store),
            Ok(missing) => {
                store.close().await;
                Err(unavailable(format!(
                    "the database lacks {} change(s) of its schema, from {} on; run: sprout-server migrate, with the same configuration",
                    missing.len(),
                    missing[0]
                )))
            }
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Closes all connections, after those in use were given back.
    pub async fn close(&self) {
        close(&self.writer).await;
        close(&self.reader).await;
    }

    async fn begin(&self, on: &DatabaseConnection, options: TransactionOptions) -> Result<Box<dyn Tx>> {
        let transaction = tokio::time::timeout(self.deadline, on.begin_with_options(options))
            .await
            .map_err(|_| late())?
            .map_err(from_db)?;
        Ok(Box::new(SeaTx::begun(transaction, self.deadline).await?))
    }
}

#[async_trait]
impl Store for SeaStore {
    async fn write(&self) -> Result<Box<dyn Tx>> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.begin(&self.writer, options).await
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        let options = if self.reader.get_database_backend() == DbBackend::Postgres {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            }
        } else {
            TransactionOptions::default() // deferred: its snapshot is taken by its first query
        };
        self.begin(&self.reader, options).await
    }

    async fn installation_id(&self) -> Result<String> {
        let row = tokio::time::timeout(
            self.deadline,
            <crate::entities::installation::Entity as sea_orm::EntityTrait>::find().one(&self.reader),
        );
        let row = row.await.map_err(|_| late())?.map_err(from_db)?;
        row.map(|row| row.installation_id).ok_or_else(|| Error::internal("the database has no installation id"))
    }
}

/// A change of the schema may rewrite a table.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Held on PostgreSQL while migrating, so that two that migrate follow one another.
const MIGRATION_LOCK: i64 = 0x5350_524f_5554;

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
        statement_timeout: Duration,
    ) -> Result<DatabaseConnection> {
        match self {
            Self::File(file) => {
                let connect = SqliteConnectOptions::new()
                    .filename(file)
                    .create_if_missing(false)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(options.acquire_timeout)
                    .disable_statement_logging();
                // A rollback that failed (full disk) leaves a connection unfit for the next transaction.
                let pool = SqlitePoolOptions::new()
                    .max_connections(most)
                    .acquire_timeout(options.acquire_timeout)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .test_before_acquire(false)
                    .before_acquire(|connection, _| {
                        let fit = !connection.is_in_transaction();
                        Box::pin(async move { Ok(fit) })
                    })
                    .connect_with(connect)
                    .await
                    .map_err(|error| from_sqlx(&error))?;
                Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
            }
            Self::Server(server) => {
                let connect = server
                    .as_ref()
                    .clone()
                    .application_name("sprout-server")
                    .options([
                        ("statement_timeout", statement_timeout.as_millis().to_string()),
                        // A server that vanished in the middle of a transaction must not keep its locks.
                        ("idle_in_transaction_session_timeout", "30s".to_owned()),
                    ])
                    .disable_statement_logging();
                // The pool would try again and again and forget why; this one connection says what is wrong.
                let probe = tokio::time::timeout(options.acquire_timeout, connect.connect()).await;
                probe
                    .map_err(|_| at(server, late()))?
                    .map_err(|error| at(server, from_sqlx(&error)))?
                    .close()
                    .await
                    .ok();
                let pool = PgPoolOptions::new()
                    .max_connections(most)
                    .acquire_timeout(options.acquire_timeout)
                    .test_before_acquire(false)
                    .before_acquire(|connection, meta| {
                        Box::pin(async move {
                            // In use a moment ago, it is not worth a round trip.
                            if meta.idle_for > Duration::from_secs(1) {
                                connection.ping().await?;
                            }
                            Ok(true)
                        })
                    })
                    .connect_lazy_with(connect);
                Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
            }
        }
    }
}

/// Adds which server it is; user and password stay out.
fn at(server: &PgConnectOptions, mut error: Error) -> Error {
    let host = match server.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", server.get_host(), server.get_port()),
    };
    error.message = format!("PostgreSQL at {host}: {}", error.message);
    error
}

async fn migrate_at(place: &Place, options: &StoreOptions) -> Result<MigrationReport> {
    let database = place.connect(options, 1, MIGRATION_TIMEOUT).await?;
    let result = apply(&database).await;
    close(&database).await; // and with the connection the lock
    result
}

async fn apply(database: &DatabaseConnection) -> Result<MigrationReport> {
    if database.get_database_backend() == DbBackend::Postgres {
        let lock = format!("select pg_advisory_lock({MIGRATION_LOCK})");
        database.execute_unprepared(&lock).await.map_err(from_db)?;
    }
    let applied = missing(database).await?;
    Migrator::up(database, None).await.map_err(from_db)?;
    Ok(MigrationReport { applied })
}

/// Names of changes not applied; an error if changes were applied that this program does not know.
async fn missing(database: &DatabaseConnection) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Applied {
        version: String,
    }
    let table = Migrator::migration_table_name().to_string();
    let applied = if SchemaManager::new(database).has_table(&table).await.map_err(from_db)? {
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

async fn close(database: &DatabaseConnection) {
    if let Err(error) = database.close_by_ref().await {
        tracing::warn!(%error, "a connection to the database did not close cleanly");
    }
}
