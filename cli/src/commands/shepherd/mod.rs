//! `sproutctl shepherd …`

pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod set;
