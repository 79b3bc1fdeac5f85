//! `sproutctl worker …`

pub(crate) mod drain;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod revoke_token;
pub(crate) mod token;
pub(crate) mod tokens;
pub(crate) mod undrain;
