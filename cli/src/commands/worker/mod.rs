//! `sproutctl worker …`

pub(crate) mod list;
