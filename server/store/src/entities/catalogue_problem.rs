//! Rows of what is wrong with what was looked at.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_problems")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub look_id: i64,
    pub kind: String,
    pub provider: String,
    pub subject: String,
    pub message: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
