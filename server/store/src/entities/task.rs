//! Rows of tasks.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub workflow: String,
    pub appliance_id: Option<i64>,
    pub provider: String,
    pub step: String,
    pub position: i64,
    pub lane: i16,
    pub priority: i16,
    pub turn: i64,
    pub state: String,
    pub attempt: i64,
    pub epoch: i64,
    pub worker: Option<String>,
    pub cancel_requested: bool,
    pub stalled: bool,
    pub stop_asked_at: Option<DateTimeUtc>,
    pub due_at: DateTimeUtc,
    pub status: String,
    pub error: String,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub progress_at: Option<DateTimeUtc>,
    pub silent_until: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub template_id: Option<i64>,
    pub machine: Option<String>,
    pub machine_tag: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
