//! `sproutctl event …`

pub(crate) mod list;
pub(crate) mod watch;
