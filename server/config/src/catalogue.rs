//! Catalogues: services that say which templates there are, and which of them may be used.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use sprout_conf::{Located, Secret};

use crate::{Config, Credentials, Mistakes, credentials::Book, group::is_name};

/// A trackerbot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueConfig {
    /// Where its API begins: `http://host[:port][/path]` or `https://…`; `/api/providertemplate/` follows.
    pub url: Located<String>,
    /// File with the certificates (PEM) that sign its own; default: those that everyone trusts.
    pub ca: Option<PathBuf>,
    /// Key of `credentials.yaml`: `username` with `password` or `api_key`, or a `token`; default: it wants none.
    pub credentials: Option<Located<String>>,
    /// What is in `ca`.
    #[serde(skip)]
    pub ca_pem: String,
    /// What is there.
    #[serde(skip)]
    pub resolved: Option<Credentials>,
}

impl CatalogueConfig {
    /// Reads the file with the certificates; says what is wrong with it.
    pub(crate) fn read_ca(&mut self) -> Result<(), String> {
        let Some(path) = &self.ca else { return Ok(()) };
        let pem = fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}; name a file of PEM certificates", path.display()))?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(format!("{} has no certificate in it; name a file of PEM certificates", path.display()));
        }
        self.ca_pem = pem;
        Ok(())
    }

    /// Looks up the credentials that are named.
    pub(crate) fn resolve(&mut self, name: &str, book: &Book<'_>, mistakes: &mut Mistakes) {
        if let Some(key) = &self.credentials {
            self.resolved = book.named(key, &format!("server.catalogues.{name}.credentials"), mistakes);
        }
    }

    /// What it is shown of who asks: a header as HTTP has it; empty: nothing.
    pub fn authorization(&self) -> Secret {
        let Some(found) = &self.resolved else { return Secret::from(String::new()) };
        let other = |name: &str| found.others.get(name).map(Secret::expose);
        let shown = match (&found.username, &found.password, other("api_key"), other("token")) {
            (.., Some(token)) => format!("Bearer {token}"),
            (Some(user), _, Some(key), None) => format!("ApiKey {user}:{key}"),
            (Some(user), Some(password), None, None) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            _ => String::new(),
        };
        Secret::from(shown)
    }

    pub(crate) fn check(&self, name: &str, config: &Config, mistakes: &mut Mistakes) {
        let path = format!("catalogues.{name}");
        if !is_name(name) {
            config.mistake_at(mistakes, &self.url, &path, "a catalogue's name has 1 to 64 letters, digits and ._-");
        }
        let url = &self.url.value;
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
        let fine = host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
            && !url.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c));
        if !fine {
            let message = format!("{url:?} is no URL to begin with; write https://host or https://host:port/path");
            config.mistake_at(mistakes, &self.url, &format!("{path}.url"), message);
        }
        if let Some(key) = &self.credentials {
            let place = format!("{path}.credentials");
            let kinds = self.resolved.as_ref().map_or(1, |found| {
                let there = [
                    found.password.is_some(),
                    found.others.contains_key("api_key"),
                    found.others.contains_key("token"),
                ];
                there.into_iter().filter(|there| *there).count()
            });
            if kinds != 1 || (self.resolved.is_some() && self.authorization().expose().is_empty()) {
                let message = "these credentials are not what a trackerbot takes; write `username` with `password` or with `api_key`, or a `token`";
                config.mistake_at(mistakes, key, &place, message);
            }
            let host = host.unwrap_or_default();
            let near = ["127.0.0.1", "localhost", "[::1]"]
                .iter()
                .any(|near| host.strip_prefix(near).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
            if !near && !url.starts_with("https://") {
                let message = "credentials do not travel unencrypted; write the `url` with https://, or remove them";
                config.mistake_at(mistakes, key, &place, message);
            }
        }
        if self.ca.is_some() && !url.starts_with("https://") {
            let message = "only an https URL shows a certificate; write https://, or remove it";
            config.mistake(mistakes, &format!("{path}.ca"), message);
        }
    }
}
