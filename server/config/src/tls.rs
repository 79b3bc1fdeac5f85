//! TLS of the listening port.

use std::path::PathBuf;

use serde::Deserialize;

/// Certificate and key; both are needed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the server's certificate and those that lead up to its root.
    pub cert: PathBuf,
    /// PEM file with the certificate's private key.
    pub key: PathBuf,
}
