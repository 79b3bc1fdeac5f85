//! Rows of templates.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub provider: String,
    pub group_name: String,
    pub version: String,
    pub build_date: Date,
    pub state: String,
    pub found_at: DateTimeUtc,
    #[sea_orm(column_name = "type")]
    pub template_type: String,
    pub unconfigured: bool,
    pub failure_count: i64,
    pub quarantine_reason: String,
    pub specimen_id: Option<i64>,
    pub next_try_at: Option<DateTimeUtc>,
    pub suggested_for_deletion: bool,
    pub quarantine_tries: i64,
    pub obsolete: bool,
    pub unusable: String,
    pub ga_released: bool,
    pub custom_data: String,
    pub gone_at: Option<DateTimeUtc>,
    pub parent_id: Option<i64>,
    pub prepared_at: Option<DateTimeUtc>,
    pub build: String,
    pub verified_version: String,
    pub preparation_failures: i64,
    pub preparation_error: String,
    pub prepare_after: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
