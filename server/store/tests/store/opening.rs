//! Opening and migrating: every wrong place gets a sentence that says what to do, and nothing is left behind.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sprout_app::ports::Store as _;
use sprout_domain::{Error, Reason, Secret};
use sprout_store::{SeaStore, StoreOptions, migrate, pending};
use sprout_test_support::{
    database::{EmptyDatabase, TestDatabase},
    on_each_database,
};

on_each_database!(
    a_database_without_schema_is_refused,
    a_database_of_a_newer_release_is_refused,
    the_installation_has_one_id,
    migrating_twice_at_once_is_migrating_once,
);

async fn empty(db: &TestDatabase) -> anyhow::Result<EmptyDatabase> {
    Ok(EmptyDatabase::new(db.kind()).await?.unwrap())
}

async fn refusal(options: &StoreOptions) -> Error {
    let error = SeaStore::open(options).await.map(|_| ()).unwrap_err();
    assert_eq!(error.reason, Reason::DatabaseUnavailable, "{error}");
    error
}

async fn a_database_without_schema_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let empty = empty(&db).await?;
    assert!(refusal(&empty.options()).await.message.contains("run: sprout-server migrate"));
    let report = migrate(&empty.options()).await?;
    assert!(report.applied.len() > 12, "{:?}", report.applied);
    assert!(report.applied.is_sorted());
    assert!(pending(&empty.options()).await?.is_empty());
    assert!(migrate(&empty.options()).await?.applied.is_empty());
    SeaStore::open(&empty.options()).await?.close().await;

    // A later release brings more changes than this database has seen.
    let raw = Database::connect(empty.url()).await?;
    raw.execute_unprepared("delete from seaql_migrations where version like '%events'").await?;
    raw.close_by_ref().await?;
    assert_eq!(pending(&empty.options()).await?, ["m20261122_000012_events"]);
    assert!(refusal(&empty.options()).await.message.contains("m20261122_000012_events"));
    Ok(())
}

async fn a_database_of_a_newer_release_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let raw = Database::connect(db.url()).await?;
    raw.execute_unprepared("insert into seaql_migrations (version, applied_at) values ('m2999_x', 0)").await?;
    raw.close_by_ref().await?;
    assert!(refusal(&db.options()).await.message.contains("newer release (m2999_x)"));
    assert!(migrate(&db.options()).await.is_err());
    assert!(pending(&db.options()).await.is_err());
    Ok(())
}

async fn the_installation_has_one_id(db: TestDatabase) -> anyhow::Result<()> {
    let id = db.store().installation_id().await?;
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    migrate(&db.options()).await?;
    assert_eq!(SeaStore::open(&db.options()).await?.installation_id().await?, id);
    let other = empty(&db).await?;
    migrate(&other.options()).await?;
    assert_ne!(SeaStore::open(&other.options()).await?.installation_id().await?, id);
    Ok(())
}

async fn migrating_twice_at_once_is_migrating_once(db: TestDatabase) -> anyhow::Result<()> {
    let empty = empty(&db).await?;
    let options = empty.options();
    let (one, two) = tokio::join!(migrate(&options), migrate(&options));
    let (one, two) = (one?.applied, two?.applied);
    assert!(one.is_empty() != two.is_empty(), "{one:?}, {two:?}");
    SeaStore::open(&options).await?.close().await;
    Ok(())
}

fn sqlite(path: impl AsRef<std::path::Path>) -> StoreOptions {
    StoreOptions::new(Secret::new(format!("sqlite:{}", path.as_ref().display())))
}

#[tokio::test]
async fn files_that_cannot_be_a_database() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    fs::write(
        at("file"),
        "not a database, but longer than the hundred bytes that every database file begins with, so that it is read",
    )?;

    for (options, expected) in [
        (sqlite(at("none.db")), "there is no database"),
        (sqlite(at("none/x.db")), "create it"),
        (sqlite(directory.path()), "not a file"),
        (sqlite(at("file/x.db")), "below a file"),
        (sqlite(at("file")), "restore the last backup"),
        (sqlite(""), "names no file"),
        (sqlite(":memory:"), "names no file"),
        (StoreOptions::new(Secret::new("mysql://x")), "unknown scheme"),
        (StoreOptions::new(Secret::new("postgres://u:secret@h:port/x")), "postgres://USER"),
    ] {
        let error = refusal(&options).await;
        assert!(error.message.contains(expected), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        if expected != "there is no database" {
            let error = migrate(&options).await.unwrap_err();
            assert!(error.message.contains(expected), "{error}");
        }
    }
    assert_eq!(fs::read_dir(directory.path())?.count(), 1, "something was left behind");
    Ok(())
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("sprout.db");
    migrate(&sqlite(&file)).await?;
    let store = SeaStore::open(&sqlite(&file)).await?;
    let tx = store.write().await?;
    for entry in fs::read_dir(directory.path())? {
        let entry = entry?;
        assert_eq!(entry.metadata()?.permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    drop(tx);
    store.close().await;
    assert_eq!(fs::read_dir(directory.path())?.count(), 1, "a closed database is one file");
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_be_used() -> anyhow::Result<()> {
    // A port that nobody listens at, and one where nobody answers.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    for port in [free, silent.local_addr()?.port()] {
        let mut options = StoreOptions::new(Secret::new(format!("postgres://u:secret@127.0.0.1:{port}/x")));
        options.acquire_timeout = Duration::from_millis(300);
        let begun = std::time::Instant::now();
        let error = refusal(&options).await;
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(error.message.contains(&format!("PostgreSQL at 127.0.0.1:{port}")), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    Ok(())
}

mod postgres_only {
    use super::*;

    /// Runs on PostgreSQL alone.
    mod postgres {
        #[test]
        fn refusals_name_the_server() {
            sprout_test_support::database::run(sprout_test_support::database::Kind::Postgres, super::refusals);
        }

        #[test]
        fn a_socket_serves_as_well() {
            sprout_test_support::database::run(sprout_test_support::database::Kind::Postgres, super::socket);
        }
    }

    async fn refusals(db: TestDatabase) -> anyhow::Result<()> {
        let (scheme, rest) = db.url().split_once("://").unwrap();
        let (user_and_password, place) = rest.split_once('@').unwrap();
        let (user, password) = user_and_password.split_once(':').unwrap();
        for url in [
            format!("{scheme}://{user}:wrong@{place}"),
            format!("{scheme}://{user}:{password}@{}/none", place.split_once('/').unwrap().0),
        ] {
            let error = refusal(&StoreOptions::new(Secret::new(url))).await;
            assert!(error.message.contains("correct user, password and database name"), "{error}");
            assert!(!error.to_string().contains(password), "{error}");
        }
        Ok(())
    }

    async fn socket(db: TestDatabase) -> anyhow::Result<()> {
        let raw = Database::connect(db.url()).await?;
        let sql = "select current_setting('unix_socket_directories') as directory, current_setting('port') as port";
        let row = raw.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?.unwrap();
        let directory: String = row.try_get("", "directory")?;
        let port: String = row.try_get("", "port")?;
        raw.close_by_ref().await?;
        let Some(directory) = directory.split(',').next().map(str::trim).filter(|name| name.starts_with('/')) else {
            return Ok(()); // this server has no socket
        };
        let (_, rest) = db.url().split_once("://").unwrap();
        let (user, place) = rest.split_once('@').unwrap();
        let database = place.split('?').next().unwrap().rsplit_once('/').unwrap().1;
        let encoded = directory.replace('/', "%2F");
        for url in [
            format!("postgres://{user}@{encoded}:{port}/{database}"),
            format!("postgres://{user}@localhost:{port}/{database}?host={directory}"),
        ] {
            let store = SeaStore::open(&StoreOptions::new(Secret::new(url))).await?;
            assert_eq!(store.installation_id().await?, db.store().installation_id().await?);
            store.close().await;
        }
        Ok(())
    }
}
