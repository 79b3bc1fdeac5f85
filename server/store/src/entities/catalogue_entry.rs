//! Rows of what sources say of templates.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_entries")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub source: String,
    pub provider: String,
    pub name: String,
    pub group_name: String,
    pub usable: bool,
    pub build_date: Option<Date>,
    pub ga_released: bool,
    pub custom_data: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
