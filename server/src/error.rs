//! Why a server cannot start or go on: what is wrong, and what to do about it.

use std::{io, net::SocketAddr, path::PathBuf};

use sprout_conf::ConfigError;
use sprout_config::InvalidConfig;

/// A server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] InvalidConfig),
    /// A configuration file cannot be read.
    #[error("{0}")]
    Unreadable(ConfigError),
    /// The address to listen on cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is needed cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("certificate {} and key {} cannot be used: {reason}", cert.display(), key.display())]
    Tls {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// The data directory cannot be made.
    #[error("the data directory {} cannot be made: {source}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Logs cannot be written.
    #[error("{0}")]
    Logs(io::Error),
    /// The database refuses, or a use case does.
    #[error("{0}")]
    Refused(#[from] sprout_domain::Error),
    /// The API cannot be put together.
    #[error("the API cannot be served: {0}")]
    Api(String),
    /// A part that must not end did.
    #[error("{0}")]
    Ended(String),
    /// No password was given.
    #[error("no password was given: {0}")]
    Password(String),
    /// Something was not given, and there is nobody to ask.
    #[error("no {0} was given, and this is not a terminal where it could be asked for")]
    NotAsked(&'static str),
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to: {0}")]
    Signals(io::Error),
}

impl Error {
    /// What to do, where the message does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Some(
                "another program listens there, maybe a server that runs already; stop it, or set server.listen to a free port",
            ),
            Self::Listen { .. } => Some("set server.listen to an address of this machine that you may use"),
            Self::File { .. } => Some("correct its name in the configuration, or make it readable for this user"),
            Self::Tls { .. } => Some("both must be PEM files, and the key must be the certificate's"),
            Self::DataDir { .. } => Some("set server.data_dir to a directory that this user can write"),
            Self::Logs(_) => Some("set server.logs to a directory that this user can write"),
            Self::Password(_) | Self::NotAsked("password") => {
                Some("pipe it to --password-stdin, set SPROUT_PASSWORD, or run this in a terminal to be asked")
            }
            Self::NotAsked(_) => Some("give it as a flag, or run this in a terminal to be asked"),
            Self::Config(_)
            | Self::Unreadable(_)
            | Self::Refused(_)
            | Self::Api(_)
            | Self::Ended(_)
            | Self::Signals(_) => None,
        }
    }
}
