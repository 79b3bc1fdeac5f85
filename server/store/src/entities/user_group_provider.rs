//! Rows of providers of user groups.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_group_providers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_group_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
