//! `sproutctl event …`

pub(crate) mod watch;
