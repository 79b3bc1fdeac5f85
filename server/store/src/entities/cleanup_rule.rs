//! Rows of clean-up rules.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cleanup_rules")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name_pattern: String,
    pub min_age_us: i64,
    pub provider: Option<String>,
    pub created_by: String,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
