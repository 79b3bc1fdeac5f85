//! Rows of machines.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "machines")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub power: String,
    pub kind: String,
    pub appliance_id: Option<i64>,
    pub sightings: i64,
    pub first_seen_at: DateTimeUtc,
    pub since: DateTimeUtc,
    pub approved: bool,
    pub problem: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
