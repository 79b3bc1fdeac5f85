//! One notation of SQL for both databases, because they differ in two words only: how a row gets its number and how a moment is kept. What
//! cannot be said to both in the same words is said twice.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// Begins a statement that is for PostgreSQL alone.
const FOR_POSTGRES: &str = "postgres: ";
/// Begins a statement that is for SQLite alone.
const FOR_SQLITE: &str = "sqlite: ";

/// Runs statements after replacing `{id}` (a primary key that never repeats) and `{time}` (a moment; on SQLite text of one width). One that begins
/// with `postgres: ` or `sqlite: ` is run on that database alone.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let (id, time, own, foreign) = match manager.get_database_backend() {
        DbBackend::Postgres => ("bigserial primary key", "timestamptz", FOR_POSTGRES, FOR_SQLITE),
        _ => ("integer primary key autoincrement", "text", FOR_SQLITE, FOR_POSTGRES),
    };
    for statement in statements.iter().filter(|statement| !statement.starts_with(foreign)) {
        let statement = statement.strip_prefix(own).unwrap_or(statement);
        let statement = statement.replace("{id}", id).replace("{time}", time);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Makes the file's migration, named as the file, of statements to apply and to undo it.
macro_rules! change {
    (up: [$($up:expr),+ $(,)?], down: [$($down:expr),+ $(,)?] $(,)?) => {
        use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::DbErr};

        pub(crate) struct Migration;

        impl MigrationName for Migration {
            fn name(&self) -> &'static str {
                module_path!().rsplit("::").next().unwrap_or_default()
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Migration {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::change::run(manager, &[$($up),+]).await
            }

            async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::change::run(manager, &[$($down),+]).await
            }

            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
}

pub(crate) use change;
