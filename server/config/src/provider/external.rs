//! Providers that are served by a process of anyone's, the simulator among them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sprout_conf::Secret;

use crate::Credentials;

/// Keys of `sprout:` for a process that speaks `sprout.provider.v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExternalConfig {
    /// `http://host:port`, `https://host:port` or `unix:///path`; must be named.
    pub endpoint: String,
    /// Named with each call; default: the `token` of the provider's credentials, if they have one.
    pub token: Secret,
    /// File with the certificates (PEM) that sign the process's, from the directory of this file on; default: those of the system.
    pub ca: Option<PathBuf>,
    /// Memory of an appliance in MiB; 0, the default: the provider's own choice.
    pub memory_mib: u32,
    /// CPUs of an appliance; 0, the default: the provider's own choice.
    pub cpus: u32,
    /// What is in `ca`.
    #[serde(skip)]
    pub ca_pem: String,
}

impl ExternalConfig {
    /// The token of the credentials, where none is named.
    pub(super) fn take_token(&mut self, credentials: Option<&Credentials>) {
        if let Some(token) = credentials.and_then(|found| found.others.get("token")).filter(|_| self.token.is_empty()) {
            self.token = token.clone();
        }
    }

    /// Reads the file with the certificates; says what is wrong with it.
    pub(super) fn read_ca(&mut self, base: &Path) -> Result<(), String> {
        let Some(ca) = &self.ca else { return Ok(()) };
        let path = base.join(ca);
        let pem = fs::read_to_string(&path)
            .map_err(|error| format!("{} cannot be read: {error}; name a file of PEM certificates", path.display()))?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(format!("{} has no certificate in it; name a file of PEM certificates", path.display()));
        }
        self.ca_pem = pem;
        Ok(())
    }

    /// `example`: an endpoint to suggest.
    pub(super) fn mistakes(&self, example: Option<&str>) -> Vec<(&'static str, String)> {
        let endpoint = &self.endpoint;
        let rest = |scheme: &str| endpoint.strip_prefix(scheme).map(|rest| rest.trim_end_matches('/'));
        let host = |rest: &str| !rest.is_empty() && !rest.contains(['/', '@']);
        let fine = rest("http://").or_else(|| rest("https://")).is_some_and(host) || endpoint.starts_with("unix:///");
        let mut mistakes = Vec::new();
        if endpoint.is_empty() {
            let example = example.unwrap_or("https://host:port");
            mistakes.push((
                "endpoint",
                format!("it is missing; name the process that serves the provider, e.g. {example}"),
            ));
        } else if !fine {
            let message =
                format!("{endpoint:?} is no endpoint; write http://host:port, https://host:port or unix:///path");
            mistakes.push(("endpoint", message));
        }
        if self.ca.is_some() && !endpoint.starts_with("https://") {
            mistakes
                .push(("ca", "only an https endpoint shows a certificate; write https://, or remove it".to_owned()));
        }
        mistakes
    }
}
