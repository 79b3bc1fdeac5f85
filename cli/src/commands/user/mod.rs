//! `sproutctl user …`

pub(crate) mod create;
