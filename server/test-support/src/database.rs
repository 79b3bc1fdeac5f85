//! A database of its own for each test, on SQLite and on the PostgreSQL server that `SPROUT_TEST_POSTGRES` names.
//!
//! Write a test as `async fn name(db: TestDatabase) -> anyhow::Result<()>` and list it in [`crate::on_each_database!`]: it becomes
//! `sqlite::name` and `postgres::name`. Without a server the latter say that they were skipped; with `SPROUT_TEST_REQUIRE=1` they fail.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use sprout_domain::Secret;
use sprout_store::{SeaStore, StoreOptions};
use tempfile::TempDir;

use crate::schema;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file in a directory of its own.
    Sqlite,
    /// A database of its own on a server.
    Postgres,
}

/// A database of which nothing is known but where it is; gone when dropped.
#[derive(Debug)]
pub struct EmptyDatabase {
    /// Which.
    pub kind: Kind,
    url: String,
    server: Option<(String, String)>,
    _directory: Option<TempDir>,
}

impl EmptyDatabase {
    /// Makes one without a schema; none if there is no server and none is required.
    pub async fn new(kind: Kind) -> anyhow::Result<Option<Self>> {
        Self::make(kind, false).await
    }

    /// Makes one, with the current schema in it if wanted.
    async fn make(kind: Kind, with_schema: bool) -> anyhow::Result<Option<Self>> {
        if kind == Kind::Sqlite {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("sprout.db");
            if with_schema {
                schema::copy_to(&path).await?;
            }
            let url = format!("sqlite:{}", path.display());
            return Ok(Some(Self { kind, url, server: None, _directory: Some(directory) }));
        }
        let Ok(server) = env::var("SPROUT_TEST_POSTGRES") else {
            anyhow::ensure!(
                env::var("SPROUT_TEST_REQUIRE").is_err(),
                "SPROUT_TEST_POSTGRES names no server; set it to postgres://USER:PASSWORD@HOST/postgres"
            );
            return Ok(None);
        };
        let name = unused_name();
        let url = with_database(&server, &name)?;
        if with_schema {
            let copy = format!("create database {name} template {}", schema::TEMPLATE);
            if on_server(&server, &copy).await.is_err() {
                // Most likely nobody has made it yet; whatever else it was will be met again.
                schema::make_template(&server).await?;
                on_server(&server, &copy).await?;
            }
        } else {
            on_server(&server, &format!("create database {name}")).await?;
        }
        Ok(Some(Self { kind, url, server: Some((server, name)), _directory: None }))
    }

    /// How to open it.
    pub fn options(&self) -> StoreOptions {
        StoreOptions::new(Secret::new(&*self.url))
    }

    /// Its URL, with the password.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for EmptyDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else { return };
        // Dropping is not async and may happen inside a run time, so it takes a thread with one of its own.
        let done = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_server(&server, &format!("drop database {name} with (force)")))
        });
        match done.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => say(&format!("a test database was left behind: {error:#}")),
            Err(_) => say("a test database was left behind"),
        }
    }
}

/// A database with the current schema, and a store on it.
#[derive(Debug)]
pub struct TestDatabase {
    store: Arc<SeaStore>,
    empty: EmptyDatabase,
}

impl TestDatabase {
    /// Makes one; none if there is no server and none is required.
    pub async fn fresh(kind: Kind) -> anyhow::Result<Option<Self>> {
        let Some(empty) = EmptyDatabase::make(kind, true).await? else { return Ok(None) };
        let store = Arc::new(SeaStore::open(&empty.options()).await?);
        Ok(Some(Self { store, empty }))
    }

    /// The store.
    pub fn store(&self) -> Arc<SeaStore> {
        Arc::clone(&self.store)
    }

    /// From now on, transactions that wait for each other in a circle on PostgreSQL wait until their statements are too late, of which callers are
    /// told; else the server would end one of them after a second, its caller would try again, and nobody would see.
    pub async fn hanging_in_circles(mut self) -> anyhow::Result<Self> {
        if self.kind() == Kind::Postgres {
            let sql = "do $$ begin execute format('alter database %I set deadlock_timeout = ''10min''', current_database()); end $$";
            self.execute(sql).await?;
            self.store = Arc::new(SeaStore::open(&self.options()).await?);
        }
        Ok(self)
    }

    /// Waits until nobody is in a transaction.
    ///
    /// # Errors
    /// If someone still is after ten seconds: whoever began it has forgotten it.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let beside = Database::connect(self.url()).await?;
        let look = async {
            match self.kind() {
                Kind::Sqlite => {
                    // Whoever writes keeps others from it.
                    while beside.execute_unprepared("begin immediate; rollback").await.is_err() {
                        tokio::task::yield_now().await;
                    }
                    anyhow::Ok(())
                }
                Kind::Postgres => {
                    let busy =
                        "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                                and state <> 'idle' and application_name = 'sprout-server' limit 1";
                    while beside.query_one_raw(Statement::from_string(DbBackend::Postgres, busy)).await?.is_some() {
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                }
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(10), look).await;
        beside.close_by_ref().await?;
        settled.context("a transaction was left open")?
    }

    /// Which database it is on.
    pub fn kind(&self) -> Kind {
        self.empty.kind
    }

    /// How to open it once more, as another process would.
    pub fn options(&self) -> StoreOptions {
        self.empty.options()
    }

    /// Its URL, with the password.
    pub fn url(&self) -> &str {
        self.empty.url()
    }

    /// Makes what no use case makes: runs a statement, and says how many rows it changed.
    pub async fn execute(&self, sql: &str) -> anyhow::Result<u64> {
        let raw = Database::connect(self.url()).await?;
        let changed = raw.execute_unprepared(sql).await?.rows_affected();
        raw.close().await?;
        Ok(changed)
    }
}

/// Sees whether anything at all was written to a database.
pub struct Changes {
    raw: DatabaseConnection,
    backend: DbBackend,
    sql: String,
}

impl TestDatabase {
    /// Begins to look for changes.
    pub async fn changes(&self) -> anyhow::Result<Changes> {
        let raw = Database::connect(self.url()).await?;
        let (backend, sql) = match self.kind() {
            // Counts what others wrote to the file.
            Kind::Sqlite => {
                (DbBackend::Sqlite, "select data_version || '' as seen from pragma_data_version".to_owned())
            }
            Kind::Postgres => {
                // Rows are numbered by the transactions that wrote, deleted or locked them.
                let sql = "select string_agg(format('select %L as name, count(*), coalesce(max(xmin::text::bigint), 0) as written,
                                                            coalesce(max(xmax::text::bigint), 0) as locked from %I', table_name, table_name),
                                             ' union all ') as seen
                           from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'";
                let row = raw.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
                let tables: String = row.context("no tables")?.try_get("", "seen")?;
                (
                    DbBackend::Postgres,
                    format!("select string_agg(t::text, ' ' order by name) as seen from ({tables}) t"),
                )
            }
        };
        Ok(Changes { raw, backend, sql })
    }
}

impl Changes {
    /// A text that is another one as soon as anything was written.
    pub async fn look(&self) -> anyhow::Result<String> {
        let row = self.raw.query_one_raw(Statement::from_string(self.backend, &*self.sql)).await?;
        Ok(row.context("nothing to see")?.try_get("", "seen")?)
    }
}

/// Runs one test on a database of this kind; what [`crate::on_each_database!`] expands to.
///
/// # Panics
/// If the test returns an error, or its database cannot be made.
pub fn run<F: Future<Output = anyhow::Result<()>>>(kind: Kind, test: impl FnOnce(TestDatabase) -> F) {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                let Some(database) = TestDatabase::fresh(kind).await? else {
                    say("skipped: SPROUT_TEST_POSTGRES names no server");
                    return Ok(());
                };
                test(database).await
            })
        });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}

/// Makes `sqlite::name` and `postgres::name` of each `async fn name(db: TestDatabase) -> anyhow::Result<()>`.
#[macro_export]
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[test]
            fn $name() {
                $crate::database::run($crate::database::Kind::Sqlite, super::$name);
            }
        )+ }

        mod postgres { $(
            #[test]
            fn $name() {
                $crate::database::run($crate::database::Kind::Postgres, super::$name);
            }
        )+ }
    };
}

async fn on_server(url: &str, statement: &str) -> anyhow::Result<()> {
    let server = Database::connect(url).await.context("SPROUT_TEST_POSTGRES names a server that cannot be used")?;
    server.execute_unprepared(statement).await?;
    server.close_by_ref().await?;
    Ok(())
}

/// A name that no other test, in this process or another, has.
pub(crate) fn unused_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("sprout_test_{}_{}_{count}", std::process::id(), now.as_micros())
}

/// The URL of another database on the same server.
pub(crate) fn with_database(url: &str, name: &str) -> anyhow::Result<String> {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (server, _) = address.rsplit_once('/').context("SPROUT_TEST_POSTGRES names no database")?;
    Ok(match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    })
}

#[expect(clippy::print_stderr, reason = "what a test has to say goes where its other output goes")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_in_a_url_is_replaced() {
        assert_eq!(with_database("postgres://u:p@h:1/a", "b").unwrap(), "postgres://u:p@h:1/b");
        assert_eq!(with_database("postgres:///a?host=/run", "b").unwrap(), "postgres:///b?host=/run");
    }
}
