//! Rows of numbers over time.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "samples")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: DateTimeUtc,
    pub seconds: i64,
    pub sequence: i64,
    pub waiting_pools: Option<i64>,
    pub waiting_seats: Option<i64>,
    pub appliances_requested: Option<i64>,
    pub appliances_cloning: Option<i64>,
    pub appliances_starting: Option<i64>,
    pub appliances_preparing: Option<i64>,
    pub appliances_ready: Option<i64>,
    pub appliances_stopping: Option<i64>,
    pub appliances_off: Option<i64>,
    pub appliances_suspending: Option<i64>,
    pub appliances_suspended: Option<i64>,
    pub appliances_killing: Option<i64>,
    pub appliances_failed: Option<i64>,
    pub appliances_orphaned: Option<i64>,
    pub warm: Option<i64>,
    pub workers: Option<i64>,
    pub slots: Option<i64>,
    pub running_tasks: Option<i64>,
    pub most_waiting_pools: Option<i64>,
    pub most_waiting_seats: Option<i64>,
    pub most_running_tasks: Option<i64>,
    pub pools_requested: i64,
    pub pools_failed: i64,
    pub granted_warm: i64,
    pub deployed: i64,
    pub deployments_failed: i64,
    pub workflows_failed: i64,
    pub tasks_done: i64,
    pub tasks_failed: i64,
    pub ready_in_100ms: i64,
    pub ready_in_1s: i64,
    pub ready_in_5s: i64,
    pub ready_in_15s: i64,
    pub ready_in_30s: i64,
    pub ready_in_1m: i64,
    pub ready_in_2m: i64,
    pub ready_in_5m: i64,
    pub ready_in_10m: i64,
    pub ready_in_20m: i64,
    pub ready_in_1h: i64,
    pub ready_later: i64,
    pub longest_wait_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
