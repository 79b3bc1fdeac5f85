//! Rows of providers.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "providers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub name: String,
    pub driver: String,
    pub working: bool,
    pub disabled: bool,
    pub status: String,
    pub checked_at: Option<DateTimeUtc>,
    pub provisioning_limit: i64,
    pub appliance_limit: Option<i64>,
    pub appliance_memory_mib: i64,
    pub appliance_cpus: i64,
    pub switched_off: bool,
    pub hidden: bool,
    pub circuit: String,
    pub circuit_failures: i64,
    pub circuit_openings: i64,
    pub circuit_reason: String,
    pub circuit_next_try_at: Option<DateTimeUtc>,
    pub memory_total_mib: Option<i64>,
    pub memory_limit_mib: Option<i64>,
    pub cpu_total: Option<i64>,
    pub cpu_limit: Option<i64>,
    pub refreshed_at: Option<DateTimeUtc>,
    pub capabilities: String,
    pub configuring_limit: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
