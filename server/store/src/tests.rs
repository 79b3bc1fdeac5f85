//! What can be tested from inside only: that entities and schema agree, and what a full disk does.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing there has failed")]

use sea_orm::{ColumnTrait as _, ColumnType, ConnectionTrait as _, DbBackend, EntityTrait, Iterable as _, Statement};
use sprout_app::ports::{Store as _, Tx};
use sprout_domain::{
    Reason, Secret,
    event::{EventKind, NewEvent},
};
use sprout_migrations::{Migrator, MigratorTrait as _};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::{SeaStore, StoreOptions, entities};

on_each_database!(entities_are_the_schema, every_change_can_be_undone);

/// The store of this build on a test's database.
async fn open(db: &TestDatabase) -> anyhow::Result<SeaStore> {
    Ok(SeaStore::open(&StoreOptions::new(Secret::new(db.url()))).await?)
}

async fn entities_are_the_schema(db: TestDatabase) -> anyhow::Result<()> {
    let store = open(&db).await?;
    let mut entities = Vec::new();
    columns::<entities::installation::Entity>(&mut entities);
    columns::<entities::user::Entity>(&mut entities);
    columns::<entities::token::Entity>(&mut entities);
    columns::<entities::provider::Entity>(&mut entities);
    columns::<entities::template::Entity>(&mut entities);
    columns::<entities::pool::Entity>(&mut entities);
    columns::<entities::appliance::Entity>(&mut entities);
    columns::<entities::appliance_endpoint::Entity>(&mut entities);
    columns::<entities::worker::Entity>(&mut entities);
    columns::<entities::workflow::Entity>(&mut entities);
    columns::<entities::task::Entity>(&mut entities);
    columns::<entities::event::Entity>(&mut entities);
    columns::<entities::leadership::Entity>(&mut entities);
    columns::<entities::job::Entity>(&mut entities);
    columns::<entities::job_run::Entity>(&mut entities);
    columns::<entities::join_token::Entity>(&mut entities);
    columns::<entities::authority::Entity>(&mut entities);
    columns::<entities::user_group::Entity>(&mut entities);
    columns::<entities::user_group_member::Entity>(&mut entities);
    columns::<entities::user_group_provider::Entity>(&mut entities);
    columns::<entities::audit_record::Entity>(&mut entities);
    columns::<entities::shepherd::Entity>(&mut entities);
    columns::<entities::usage_day::Entity>(&mut entities);
    columns::<entities::machine::Entity>(&mut entities);
    columns::<entities::cleanup_rule::Entity>(&mut entities);
    columns::<entities::room_change::Entity>(&mut entities);
    columns::<entities::catalogue_entry::Entity>(&mut entities);
    columns::<entities::catalogue_look::Entity>(&mut entities);
    columns::<entities::catalogue_problem::Entity>(&mut entities);
    columns::<entities::sample::Entity>(&mut entities);
    entities.sort();

    let (backend, sql) = match db.kind() {
        Kind::Postgres => (
            DbBackend::Postgres,
            "select table_name || '.' || column_name || ' ' || data_type
                    || case when is_nullable = 'YES' then ' null' else '' end as line
             from information_schema.columns where table_schema = 'public' and table_name <> 'seaql_migrations'",
        ),
        Kind::Sqlite => (
            DbBackend::Sqlite,
            "select t.name || '.' || c.name || ' ' || lower(c.type)
                    || case when c.\"notnull\" = 0 and c.pk = 0 then ' null' else '' end as line
             from sqlite_master t, pragma_table_info(t.name) c
             where t.type = 'table' and t.name not like 'sqlite%' and t.name <> 'seaql_migrations'",
        ),
    };
    let rows = store.writer.query_all_raw(Statement::from_string(backend, sql)).await?;
    let mut schema = Vec::new();
    for row in rows {
        let line: String = row.try_get("", "line")?;
        // SQLite's names for what the entities say.
        let line = match db.kind() {
            Kind::Postgres => line,
            Kind::Sqlite => line.replace(" integer", " bigint"),
        };
        schema.push(line);
    }
    schema.sort();
    if db.kind() == Kind::Sqlite {
        for line in &mut entities {
            *line = line.replace("timestamp with time zone", "text");
        }
    }
    assert_eq!(entities, schema);
    store.close().await;
    Ok(())
}

async fn every_change_can_be_undone(db: TestDatabase) -> anyhow::Result<()> {
    let store = open(&db).await?;
    Migrator::down(&store.writer, None).await?;
    store.close().await;
    let options = StoreOptions::new(Secret::new(db.url()));
    assert_eq!(crate::pending(&options).await?.len(), Migrator::migrations().len());
    assert_eq!(crate::migrate(&options).await?.applied.len(), Migrator::migrations().len());
    Ok(())
}

/// One line for each column of an entity, in the words of PostgreSQL.
fn columns<E: EntityTrait>(lines: &mut Vec<String>) {
    for column in E::Column::iter() {
        let definition = column.def();
        let kind = match definition.get_column_type() {
            ColumnType::BigInteger => "bigint",
            ColumnType::SmallInteger => "smallint",
            ColumnType::String(_) | ColumnType::Text => "text",
            ColumnType::Boolean => "boolean",
            ColumnType::Date => "date",
            ColumnType::TimestampWithTimeZone => "timestamp with time zone",
            other => panic!("{other:?} has no name here"),
        };
        let null = if definition.is_null() { " null" } else { "" };
        lines.push(format!("{}.{} {kind}{null}", E::default().table_name(), sea_orm::IdenStatic::as_str(&column)));
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() -> anyhow::Result<()> {
    let db = TestDatabase::fresh(Kind::Sqlite).await?.unwrap();
    let store = open(&db).await?;
    let pages = |most: u32| format!("pragma max_page_count = {most}");
    store.writer.execute_unprepared(&pages(1)).await?; // as many as there are
    let event = || NewEvent::new(EventKind::PoolState, "x".repeat(100_000));

    for _ in 0..3 {
        let mut tx = store.write().await?;
        let error = match tx.append_events(vec![event(), event()]).await {
            Ok(()) => tx.commit().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.reason, Reason::DatabaseUnavailable);
        assert!(error.message.contains("free some space"), "{error}");
    }
    assert_eq!(store.read().await?.last_sequence().await?, 0);

    store.writer.execute_unprepared(&pages(1_000_000)).await?;
    let mut tx: Box<dyn Tx> = store.write().await?;
    tx.append_events(vec![event()]).await?;
    tx.commit().await?;
    assert_eq!(store.read().await?.last_sequence().await?, 1);
    store.close().await;
    Ok(())
}
