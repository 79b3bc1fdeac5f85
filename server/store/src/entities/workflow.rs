//! Rows of workflows.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    pub appliance_id: Option<i64>,
    pub provider: Option<String>,
    pub owner_id: Option<i64>,
    pub lane: i16,
    pub priority: i16,
    pub turn: i64,
    pub dedup_key: Option<String>,
    pub parent_id: Option<i64>,
    pub child_count: i64,
    pub open_children: i64,
    pub failed_children: i64,
    pub state: String,
    pub error: String,
    pub created_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    pub template_id: Option<i64>,
    pub machine: Option<String>,
    pub late_at: Option<DateTimeUtc>,
    pub machine_tag: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
