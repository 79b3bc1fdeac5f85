//! Rows of workers.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub version: String,
    pub drivers: String,
    pub slots: i64,
    pub lane_slots: String,
    pub labels: String,
    pub session: String,
    pub connected: bool,
    pub drained: bool,
    pub leaving: bool,
    pub last_heard_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
