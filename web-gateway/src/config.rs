//! The section `web_gateway` of `sprout.yaml`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sprout_client::DEFAULT_SERVER;
use sprout_conf::{ConfigError, Secret, Servers};

/// Name of this section.
const SECTION: &str = "web_gateway";
/// All sections `sprout.yaml` may have, one per process.
const SECTIONS: &[&str] = &["server", "worker", SECTION];

/// The section `web_gateway`. Each key can be set by the environment, too: `SPROUT_WEB_GATEWAY__LISTEN` sets `listen`. Relative paths are relative
/// to the file's directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address to listen on; default `127.0.0.1:7680`. Port 0: any free one.
    pub listen: SocketAddr,
    /// TLS; default: none, for what is behind a proxy of one's own, or for this machine alone.
    pub tls: Option<TlsConfig>,
    /// URL of the server, or a list of those of several servers that share a database; default `http://127.0.0.1:7600`.
    pub server: Option<Servers>,
    /// File with the certificates (PEM) that sign the server's, if the system does not trust them.
    pub ca: Option<PathBuf>,
    /// File with a token: calls of the JSON API that need no authentication are answered as its owner would be; default: they need it, too.
    pub token_file: Option<PathBuf>,
    /// The token itself, better given as `SPROUT_WEB_GATEWAY__TOKEN`; comes before `token_file`.
    pub token: Option<Secret>,
    /// Addresses of proxies that are believed what they say of the client (`X-Forwarded-For`, `X-Forwarded-Proto`); those of this machine always are.
    pub trusted_proxies: Vec<IpAddr>,
    /// Take passwords that travelled without TLS from other machines; default false.
    pub allow_plain_passwords: bool,
}

/// A certificate and its key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and those that lead up to its root.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The token cannot be read.
    #[error(
        "the token file {path} cannot be read ({source}); make one with `sproutctl token create gateway --scope read`"
    )]
    Token {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7680)),
            tls: None,
            server: None,
            ca: None,
            token_file: None,
            token: None,
            trusted_proxies: Vec::new(),
            allow_plain_passwords: false,
        }
    }
}

impl GatewayConfig {
    /// Reads the section from a file, with overrides from the environment.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut config: Self = sprout_conf::section(path, SECTION, SECTIONS)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let tls = config.tls.iter_mut().flat_map(|tls| [&mut tls.cert, &mut tls.key]);
        for file in [&mut config.ca, &mut config.token_file].into_iter().flatten().chain(tls) {
            *file = base.join(&*file);
        }
        Ok(config)
    }

    /// The servers, as the client library takes them.
    pub fn servers(&self) -> String {
        self.server.clone().map_or_else(|| DEFAULT_SERVER.to_owned(), |servers| servers.into_urls().join(","))
    }

    /// The gateway's own token, if it has one.
    pub fn own_token(&self) -> Result<Option<Secret>, Error> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.expose().to_owned(),
            (None, None) => return Ok(None),
            (None, Some(path)) => {
                fs::read_to_string(path).map_err(|source| Error::Token { path: path.clone(), source })?
            }
        };
        let token = token.trim();
        Ok((!token.is_empty()).then(|| Secret::from(token.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<GatewayConfig, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sprout.yaml");
        fs::write(&path, text).unwrap();
        GatewayConfig::read(&path)
    }

    #[test]
    fn defaults_are_for_this_machine() {
        let config = read("server: {}\n").unwrap();
        assert!(config.listen.ip().is_loopback() && !config.allow_plain_passwords && config.trusted_proxies.is_empty());
        assert_eq!(config.servers(), DEFAULT_SERVER);
        assert!(config.own_token().unwrap().is_none());
    }

    #[test]
    fn files_are_next_to_the_configuration() {
        let config = read("web_gateway: {tls: {cert: c.pem, key: /k.pem}, token_file: t, server: [a, b]}\n").unwrap();
        let tls = config.tls.as_ref().unwrap();
        assert!(tls.cert.is_absolute() && tls.cert.ends_with("c.pem") && tls.key == Path::new("/k.pem"));
        assert_eq!(config.servers(), "a,b");
        let message = config.own_token().unwrap_err().to_string();
        assert!(message.contains("/t cannot be read") && message.contains("sproutctl token create"), "{message}");
    }

    #[test]
    fn the_sample_is_right_and_names_every_key() {
        let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/sprout.yaml")).unwrap();
        let section = sample.split_once("\nweb_gateway:\n").unwrap().1;
        let uncommented: String = section
            .lines()
            .map(|line| line.replacen('#', "", usize::from(!line.trim().starts_with("# "))) + "\n")
            .collect();
        let config = read(&format!("web_gateway:\n{uncommented}")).unwrap();
        assert!(
            config.tls.is_some()
                && config.token_file.is_some()
                && config.trusted_proxies.len() == 1
                && config.ca.is_some()
        );
    }

    #[test]
    fn unknown_keys_and_addresses_are_mistakes() {
        for (text, word) in [("{lisen: x}", "lisen"), ("{trusted_proxies: [nginx]}", "IP address")] {
            let message = read(&format!("web_gateway: {text}\n")).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
