//! `sproutctl provider …`

pub(crate) mod check;
mod check_all;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod switch;
