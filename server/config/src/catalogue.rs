//! Catalogues: services that say which templates there are, and which of them may be used.

use std::{fs, path::PathBuf};

use serde::Deserialize;
use sprout_conf::Located;

use crate::{Config, Mistakes, group::is_name};

/// A trackerbot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueConfig {
    /// Where its API begins: `http://host[:port][/path]` or `https://…`; `/api/providertemplate/` follows.
    pub url: Located<String>,
    /// File with the certificates (PEM) that sign its own; default: those that everyone trusts.
    pub ca: Option<PathBuf>,
    /// What is in `ca`.
    #[serde(skip)]
    pub ca_pem: String,
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
        if self.ca.is_some() && !url.starts_with("https://") {
            let message = "only an https URL shows a certificate; write https://, or remove it";
            config.mistake(mistakes, &format!("{path}.ca"), message);
        }
    }
}
