//! Rows of pools.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "pools")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub request_id: String,
    pub fingerprint: String,
    pub requester_id: i64,
    pub owner_id: i64,
    pub group_name: String,
    pub version: String,
    pub build_date: Date,
    pub provider: Option<String>,
    pub count: i64,
    pub lease_us: i64,
    pub description: String,
    pub memory_mib: Option<i64>,
    pub cpus: Option<i64>,
    pub state: String,
    pub status: String,
    pub failure_count: i64,
    pub created_at: DateTimeUtc,
    pub fulfilled_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub provider_type: Option<String>,
    pub template_type: Option<String>,
    pub unconfigured: bool,
    pub priority: i16,
    pub waiting_count: i64,
    pub avoided_provider: Option<String>,
    pub keep_alive_us: Option<i64>,
    pub alive_until: Option<DateTimeUtc>,
    pub wait_until: Option<DateTimeUtc>,
    pub updated: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
