//! Rows of endpoints of appliances.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "appliance_endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub appliance_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub name: String,
    pub host: String,
    pub port: i64,
    pub url: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
