//! What a server is configured with: the section `server` of `sprout.yaml`, and the providers of `cfme_data.yaml`.
//!
//! [`read`] gives what the files say; mistakes that serde cannot see are collected in [`Mistakes`], by this crate and by
//! whoever makes more of the values, so that all of them are told together.

mod database;
mod group;
mod keys;
mod memory;
mod mistake;
mod provider;
mod server;
mod time;
mod tls;

use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

pub use self::{
    database::DatabaseConfig,
    group::{CheckConfig, EndpointConfig, GroupConfig, HttpConfig, NothingToSet, ProbeConfig},
    keys::known_keys,
    memory::Memory,
    mistake::{InvalidConfig, Mistakes},
    provider::{ContainerConfig, DriverConfig, ExternalConfig, LibvirtConfig, ProviderConfig},
    server::ServerConfig,
    time::Time,
    tls::TlsConfig,
};

/// Name of the section.
const SECTION: &str = "server";
/// All sections `sprout.yaml` may have, one per process.
const SECTIONS: &[&str] = &[SECTION, "worker", "web_gateway"];
/// Where providers are looked for, next to `sprout.yaml`, if nobody said otherwise.
const PROVIDERS_FILE: &str = "cfme_data.yaml";

/// Everything a server is configured with; paths in it are resolved.
#[derive(Debug)]
pub struct Config {
    /// The file with the section; none: nothing but defaults.
    pub file: Option<PathBuf>,
    /// The section.
    pub server: ServerConfig,
    /// The providers that are used.
    pub providers: Vec<ProviderConfig>,
}

impl Config {
    /// Defaults, with all data in one directory, and the providers of a `cfme_data.yaml` there, if there is one.
    pub fn in_directory(data_dir: &Path, mistakes: &mut Mistakes) -> Self {
        let mut server = ServerConfig { data_dir: Some(data_dir.into()), ..ServerConfig::default() };
        server.resolve(data_dir);
        let providers = providers_of(&server, data_dir, mistakes);
        Self { file: None, server, providers }
    }

    /// Where the value at `path` of the section is from, for a message.
    pub fn mistake(&self, mistakes: &mut Mistakes, path: &str, message: impl Into<String>) {
        mistakes.add(self.file.as_deref(), None, &format!("{SECTION}.{path}"), message.into());
    }

    /// As [`Self::mistake`], at the place of a value.
    pub fn mistake_at<T>(&self, mistakes: &mut Mistakes, at: &Spanned<T>, path: &str, message: impl Into<String>) {
        mistakes.add(self.file.as_deref(), Some(at.referenced), &format!("{SECTION}.{path}"), message.into());
    }
}

/// Reads `sprout.yaml` and the file of providers it names. `None` if `sprout.yaml` cannot be read at all; what is wrong
/// is in `mistakes`.
pub fn read(file: &Path, mistakes: &mut Mistakes) -> Option<Config> {
    let mut server: ServerConfig = match sprout_conf::section(file, SECTION, SECTIONS) {
        Ok(server) => server,
        Err(error) => {
            mistakes.add_file(error);
            return None;
        }
    };
    let base = file.parent().unwrap_or(Path::new(""));
    server.resolve(base);
    let providers = providers_of(&server, base, mistakes);
    let config = Config { file: Some(file.into()), server, providers };
    config.server.check(&config, mistakes);
    Some(config)
}

/// A file that is named must be there; the one that is only looked for need not be.
fn providers_of(server: &ServerConfig, base: &Path, mistakes: &mut Mistakes) -> Vec<ProviderConfig> {
    let fallback = base.join(PROVIDERS_FILE);
    match &server.providers_file {
        Some(file) => provider::read(file, mistakes),
        None if fallback.exists() => provider::read(&fallback, mistakes),
        None => Vec::new(),
    }
}
