//! The one row that says which installation this is. Its id marks everything we create on providers, so it is made once and for all.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{DbBackend, DbErr},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        module_path!().rsplit("::").next().unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let random = match manager.get_database_backend() {
            DbBackend::Postgres => "replace(gen_random_uuid()::text, '-', '')",
            _ => "lower(hex(randomblob(16)))",
        };
        crate::change::run(
            manager,
            &[
                "create table installation (id bigint primary key not null check (id = 1), installation_id text not null)",
                &format!("insert into installation (id, installation_id) values (1, {random})"),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::change::run(manager, &["drop table installation"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
