//! Rows of appliances.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "appliances")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub state: String,
    pub power: String,
    pub provider: String,
    pub group_name: String,
    pub template_id: i64,
    pub template: String,
    pub version: String,
    pub build_date: Date,
    pub pool_id: Option<i64>,
    pub address: Option<String>,
    pub provider_ref: Option<String>,
    pub clone_unconfirmed: bool,
    pub status: String,
    pub status_changed_at: DateTimeUtc,
    pub memory_mib: Option<i64>,
    pub cpus: Option<i64>,
    pub created_at: DateTimeUtc,
    pub ready_at: Option<DateTimeUtc>,
    pub proven_at: Option<DateTimeUtc>,
    pub failed_at: Option<DateTimeUtc>,
    pub gone_at: Option<DateTimeUtc>,
    pub leased_at: Option<DateTimeUtc>,
    pub leased_until: Option<DateTimeUtc>,
    pub held_until: Option<DateTimeUtc>,
    pub hold_reason: String,
    pub description: String,
    pub unconfigured: bool,
    pub template_type: String,
    pub new_name: Option<String>,
    pub disk_mib: Option<i64>,
    pub wanted_disk_mib: Option<i64>,
    pub user_group_id: Option<i64>,
    pub missing_since: Option<DateTimeUtc>,
    pub remind_at: Option<DateTimeUtc>,
    pub room_memory_mib: i64,
    pub room_cpus: i64,
    pub accounted_until: Option<DateTimeUtc>,
    pub changed_at: Option<DateTimeUtc>,
    pub console_url: Option<String>,
    pub stuck_since: Option<DateTimeUtc>,
    pub prepares: Option<i64>,
    pub host_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
