//! The section `web_gateway` of `sprout.yaml`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
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
    /// Key that sessions of browsers are sealed with, the same for all gateways of an installation: 32 characters or more, better given as
    /// `SPROUT_WEB_GATEWAY__SESSION_KEY`; default: in `session_key_file`.
    pub session_key: Option<Secret>,
    /// File with that key, made if it is not there; default: `session.key` in `/var/lib/sprout-web-gateway`, for other users than root in
    /// `~/.local/state/sprout-web-gateway`.
    pub session_key_file: Option<PathBuf>,
    /// A session ends when it is not used for so many hours; default 12.
    pub session_idle_hours: NonZeroU16,
    /// A session ends after so many hours in any case; default 168, at most 720.
    pub session_hours: NonZeroU16,
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
    /// The session key cannot be read, or not be made.
    #[error(
        "the key of sessions in {path} can be neither read nor made ({source}); name another file with web_gateway.session_key_file, or give the key \
         as SPROUT_WEB_GATEWAY__SESSION_KEY"
    )]
    SessionKey {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The session key could be guessed.
    #[error("the key of sessions in {place} has less than 32 characters; make one with `openssl rand -base64 32`")]
    WeakSessionKey {
        /// Where it is.
        place: String,
    },
    /// There is no place for the session key.
    #[error(
        "HOME is not set, so there is no place for the key of sessions; name a file with web_gateway.session_key_file"
    )]
    NoHome,
    /// Sessions would outlive their tokens.
    #[error("web_gateway.session_hours is {0}, and the server makes no token that works longer than 720 hours")]
    SessionHours(u16),
}

/// Hours until a session ends that is not used.
const IDLE_HOURS: NonZeroU16 = NonZeroU16::new(12).unwrap();
/// Hours until a session ends.
const HOURS: NonZeroU16 = NonZeroU16::new(7 * 24).unwrap();
/// The server's limit for tokens.
const MOST_HOURS: u16 = 30 * 24;

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
            session_key: None,
            session_key_file: None,
            session_idle_hours: IDLE_HOURS,
            session_hours: HOURS,
        }
    }
}

impl GatewayConfig {
    /// Reads the section from a file, with overrides from the environment.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut config: Self = sprout_conf::section(path, SECTION, SECTIONS)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let tls = config.tls.iter_mut().flat_map(|tls| [&mut tls.cert, &mut tls.key]);
        for file in
            [&mut config.ca, &mut config.token_file, &mut config.session_key_file].into_iter().flatten().chain(tls)
        {
            *file = base.join(&*file);
        }
        if config.session_hours.get() > MOST_HOURS {
            return Err(Error::SessionHours(config.session_hours.get()));
        }
        Ok(config)
    }

    /// A session ends when it is not used for this time.
    pub fn session_idle(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_idle_hours.get()) * 3600)
    }

    /// A session ends after this time.
    pub fn session_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_hours.get()) * 3600)
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
                && config.session_key_file.is_some()
        );
    }

    #[test]
    fn unknown_keys_and_addresses_are_mistakes() {
        for (text, word) in [
            ("{lisen: x}", "lisen"),
            ("{trusted_proxies: [nginx]}", "IP address"),
            ("{session_hours: 721}", "720 hours"),
            ("{session_idle_hours: 0}", "nonzero"),
        ] {
            let message = read(&format!("web_gateway: {text}\n")).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
