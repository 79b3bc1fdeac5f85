//! A database that is as new before each run, without being made again each time.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database as Connect, DatabaseConnection, Statement};
use sprout_app::ports::Store as _;
use sprout_domain::Secret;
use sprout_store::{SeaStore, StoreOptions};
use sprout_test_support::database::{EmptyDatabase, Kind};
use tempfile::TempDir;

/// Where files are quickest, if the machine has it.
const MEMORY: &str = "/dev/shm";

/// Processes that died keep nothing open, and those that live use one connection at a time.
const CONNECTIONS: u32 = 4;

/// Here processes die, and the machine does not: what is committed need not be on the disk.
const HASTY: &str =
    "do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$";

/// One database, for one run at a time.
#[derive(Debug)]
pub struct Database {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Sqlite { directory: TempDir },
    Postgres { store: Box<SeaStore>, beside: DatabaseConnection, reset: Vec<String>, _empty: Box<EmptyDatabase> },
}

/// A database as opened for one run.
pub(crate) struct Opened {
    pub(crate) store: SeaStore,
    pub(crate) beside: DatabaseConnection,
    /// It is this run's alone, and is closed after it.
    pub(crate) closes: bool,
}

impl Database {
    /// Makes one; none if there is no server and none is required.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn new(kind: Kind) -> Result<Option<Self>> {
        let place = match kind {
            Kind::Sqlite => {
                let directory = if Path::new(MEMORY).is_dir() { TempDir::new_in(MEMORY) } else { TempDir::new() }?;
                sprout_store::migrate(&options(&url(&directory, "new.db"))).await?;
                Place::Sqlite { directory }
            }
            Kind::Postgres => {
                let Some(empty) = EmptyDatabase::new(kind).await? else { return Ok(None) };
                sprout_store::migrate(&empty.options()).await?;
                let beside = connect(empty.url()).await?;
                beside.execute_unprepared(HASTY).await?;
                let store = SeaStore::open(&options(empty.url())).await?;
                warm(&store).await?;
                let reset = keep_new(&beside).await?;
                Place::Postgres { store: Box::new(store), beside, reset, _empty: Box::new(empty) }
            }
        };
        Ok(Some(Self { place }))
    }

    /// Makes it as new, and opens it.
    pub(crate) async fn open(&self) -> Result<Opened> {
        match &self.place {
            Place::Sqlite { directory } => {
                for leftover in ["run.db-wal", "run.db-shm"] {
                    let _ = fs::remove_file(directory.path().join(leftover)); // usually not there
                }
                fs::copy(directory.path().join("new.db"), directory.path().join("run.db"))?;
                let url = url(directory, "run.db");
                let store = SeaStore::open(&options(&url)).await?;
                Ok(Opened { store, beside: connect(&url).await?, closes: true })
            }
            Place::Postgres { store, beside, reset, .. } => {
                for statement in reset {
                    beside.execute_unprepared(statement).await.context("the database was not made new")?;
                }
                Ok(Opened { store: SeaStore::clone(store), beside: beside.clone(), closes: false })
            }
        }
    }
}

impl Opened {
    /// Gives back what was opened.
    pub(crate) async fn close(self) -> Result<()> {
        if self.closes {
            self.store.close().await;
            self.beside.close().await?;
        }
        Ok(())
    }
}

fn url(directory: &TempDir, file: &str) -> String {
    format!("sqlite:{}", directory.path().join(file).display())
}

fn options(url: &str) -> StoreOptions {
    StoreOptions { max_connections: CONNECTIONS, ..StoreOptions::new(Secret::new(url)) }
}

/// Makes all connections now: PostgreSQL's proof of a password takes its time, and here that of everyone.
async fn warm(store: &SeaStore) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        all.push(store.read().await.map_err(|error| anyhow::anyhow!("{error:?}"))?);
    }
    Ok(())
}

async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Connect::connect(options).await?)
}

/// Keeps what a new database holds; returns the statements that bring it back.
async fn keep_new(database: &DatabaseConnection) -> Result<Vec<String>> {
    let tables = "select tablename::text from pg_tables where schemaname = current_schema()
                  and tablename not in ('seaql_migrations', 'installation')";
    let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), tables)).await?;
    let tables: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    let mut statements = vec![format!("truncate {} restart identity", tables.join(", "))];
    for table in &tables {
        // Rows lie where they were put, and plans are made, by what this run did and not by who else was at work when.
        database.execute_unprepared(&format!("alter table {table} set (autovacuum_enabled = off)")).await?;
        database.execute_unprepared(&format!("create table new_{table} as table {table}")).await?;
        let count = format!("select count(*) from new_{table}");
        let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), count)).await?;
        if row.is_some_and(|row| row.try_get_by_index::<i64>(0).unwrap_or_default() > 0) {
            statements.push(format!("insert into {table} select * from new_{table}"));
        }
    }
    Ok(statements)
}
