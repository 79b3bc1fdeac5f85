//! `sproutctl template …`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod prepare;
pub(crate) mod prune;
