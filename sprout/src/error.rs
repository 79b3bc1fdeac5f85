//! Why the all-in-one cannot start or go on.

use sprout_worker::config;

/// What failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server, or the configuration.
    #[error(transparent)]
    Server(#[from] sprout_server::Error),
    /// The worker's configuration.
    #[error(transparent)]
    WorkerConfig(#[from] config::Error),
    /// The worker.
    #[error("the worker ended: {0}")]
    Worker(#[from] sprout_worker::Error),
    /// The web gateway's configuration.
    #[error(transparent)]
    GatewayConfig(#[from] sprout_web_gateway::config::Error),
    /// The web gateway.
    #[error("the web gateway: {0}")]
    Gateway(#[from] sprout_web_gateway::Error),
    /// TLS is configured.
    #[error("server.tls is set, and the all-in-one serves this machine only")]
    Tls,
    /// There is no place for data.
    #[error("neither HOME nor XDG_DATA_HOME is set, so there is no place to keep data")]
    NoHome,
}

impl Error {
    /// What to do, where the message does not say it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Tls => Some(
                "remove server.tls and listen on 127.0.0.1, or run sprout-server and sprout-worker as processes of their own",
            ),
            Self::NoHome => Some("name a directory with --data-dir"),
            Self::WorkerConfig(_) | Self::Worker(_) | Self::GatewayConfig(_) | Self::Gateway(_) => None,
        }
    }
}

impl From<sprout_domain::Error> for Error {
    fn from(error: sprout_domain::Error) -> Self {
        Self::Server(error.into())
    }
}
