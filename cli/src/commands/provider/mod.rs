//! `sproutctl provider …`

pub(crate) mod check;
pub(crate) mod get;
pub(crate) mod list;
