//! `sproutctl template …`

pub(crate) mod list;
