//! The current schema, made once and copied for each test: making it takes longer than most of what is tested with it.

use std::{fs, path::Path};

use anyhow::ensure;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DbBackend, Statement};
use sprout_domain::Secret;
use sprout_store::{StoreOptions, migrate};

use crate::database::{unused_name, with_database};

/// Of a PostgreSQL database that nothing but the schema is in.
pub(crate) const TEMPLATE: &str = concat!("sprout_test_schema_", env!("SPROUT_TEST_SCHEMA"));
/// Such a SQLite database.
const FILE: &str = concat!(env!("OUT_DIR"), "/schema_", env!("SPROUT_TEST_SCHEMA"), ".db");

/// Makes a SQLite database with the schema at `path`.
pub(crate) async fn copy_to(path: &Path) -> anyhow::Result<()> {
    if !Path::new(FILE).exists() {
        // As many tests as like may make it at the same time: each in a place of its own, and what they make is the same.
        let directory = tempfile::tempdir_in(env!("OUT_DIR"))?;
        let new = directory.path().join("new.db");
        migrate(&StoreOptions::new(Secret::new(format!("sqlite:{}", new.display())))).await?;
        ensure!(!directory.path().join("new.db-wal").exists(), "a migrated database was left open");
        fs::rename(new, FILE)?;
    }
    fs::copy(FILE, path)?;
    Ok(())
}

/// Makes [`TEMPLATE`] on the server, unless it is there.
pub(crate) async fn make_template(server: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1);
    let connection = Database::connect(options).await?;
    // One makes it, and the others wait; the lock ends with the connection.
    connection.execute_unprepared(&format!("select pg_advisory_lock(hashtext('{TEMPLATE}'))")).await?;
    let found = format!("select 1 from pg_database where datname = '{TEMPLATE}'");
    if connection.query_one_raw(Statement::from_string(DbBackend::Postgres, found)).await?.is_none() {
        let new = unused_name();
        connection.execute_unprepared(&format!("create database {new}")).await?;
        let url = with_database(server, &new)?;
        migrate(&StoreOptions::new(Secret::new(url))).await?;
        connection.execute_unprepared(&format!("alter database {new} rename to {TEMPLATE}")).await?;
    }
    connection.close().await?;
    Ok(())
}
