//! Rows of events.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub sequence: i64,
    pub happened_at: DateTimeUtc,
    pub kind: String,
    pub pool_id: Option<i64>,
    pub appliance_id: Option<i64>,
    pub provider: Option<String>,
    pub workflow_id: Option<i64>,
    pub user_name: Option<String>,
    pub state: Option<String>,
    pub message: String,
    pub owner_id: Option<i64>,
    pub former_owner_id: Option<i64>,
    pub audience: Option<String>,
    pub worker: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
