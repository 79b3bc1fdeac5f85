//! Rows of looks at sources and providers.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_looks")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    pub name: String,
    pub failure: String,
    pub failed_since: Option<DateTimeUtc>,
    pub listed: i64,
    pub usable: i64,
    pub changed_at: Option<DateTimeUtc>,
    pub change: String,
    pub problem_count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
