//! `sproutctl worker …`

pub(crate) mod drain;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod token;
pub(crate) mod undrain;
