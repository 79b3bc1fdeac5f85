//! The section `server` itself.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use sprout_conf::{Located, Secret};

use crate::{CatalogueConfig, Config, DatabaseConfig, GroupConfig, Mistakes, NameRuleConfig, Time, TlsConfig, naming};

/// Where a server keeps its data if nobody said otherwise.
const DATA_DIR: &str = "/var/lib/sprout";

/// The section `server`. Relative paths are relative to the file's directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address to listen on; default `127.0.0.1:7600`. Port 0: any free one.
    pub listen: SocketAddr,
    /// Address where numbers can be read by Prometheus, without a password; default: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// TLS; required when others than this machine can connect.
    pub tls: Option<TlsConfig>,
    /// The database.
    pub database: DatabaseConfig,
    /// Redis that carries wake-ups between several servers on one PostgreSQL: `redis://USER:PASSWORD@HOST:PORT/`; default: none, for one server.
    pub redis: Option<Secret>,
    /// Directory for what the server keeps in files; default `/var/lib/sprout`.
    pub data_dir: Option<PathBuf>,
    /// Directory for logs; default: `logs` in the data directory.
    pub logs: Option<PathBuf>,
    /// File with the providers; default: `cfme_data.yaml` next to this file, if it is there.
    pub providers_file: Option<PathBuf>,
    /// How often providers are checked and their templates listed; default 10m.
    pub check_interval: Time,
    /// How often everything on providers is listed; default 30s.
    pub refresh_interval: Time,
    /// How long what carries our tag and belongs to no appliance is left alone; default 20s.
    pub leak_grace: Time,
    /// How long an appliance that is missing on its provider is waited for; default 45m.
    pub orphan_grace: Time,
    /// How long workflows and their tasks are kept after they ended; default 7d. Appliances and events stay.
    pub keep_results: Time,
    /// How long audit records are kept; default 400d.
    pub keep_audit: Time,
    /// Appliances that one user may hold although their lease ended, at a time; default 5.
    pub holds_per_user: u32,
    /// Addresses of web gateways, and of other proxies, that are believed for whom they call (`X-Forwarded-For`); default: none.
    pub trusted_proxies: Vec<IpAddr>,
    /// What the server logs: a level, or `tracing` directives; default `info`. `RUST_LOG` comes first.
    pub log: String,
    /// What release names stand for in versions: numbers, or `newest`; default: those of the product this was made for, euwe to master.
    pub release_names: Option<BTreeMap<String, Located<String>>>,
    /// What names of templates say, of groups without a `template_pattern`; default: rules for names of ManageIQ and CFME builds.
    pub template_names: Option<Vec<NameRuleConfig>>,
    /// Services that say which templates there are, and which may be used.
    pub catalogues: BTreeMap<String, CatalogueConfig>,
    /// How often catalogues are read; default 10m.
    pub catalogue_interval: Time,
    /// Product lines.
    pub groups: BTreeMap<String, GroupConfig>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7600)),
            metrics_listen: None,
            tls: None,
            database: DatabaseConfig::default(),
            redis: None,
            data_dir: None,
            logs: None,
            providers_file: None,
            check_interval: Time::seconds(600),
            refresh_interval: Time::seconds(30),
            leak_grace: Time::seconds(20),
            orphan_grace: Time::seconds(45 * 60),
            keep_results: Time::seconds(7 * 24 * 3600),
            keep_audit: Time::seconds(400 * 24 * 3600),
            holds_per_user: 5,
            trusted_proxies: Vec::new(),
            log: "info".to_owned(),
            release_names: None,
            template_names: None,
            catalogues: BTreeMap::new(),
            catalogue_interval: Time::seconds(600),
            groups: BTreeMap::new(),
        }
    }
}

impl ServerConfig {
    /// Directory for what the server keeps in files.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DATA_DIR.into())
    }

    /// Directory for logs.
    pub fn logs(&self) -> PathBuf {
        self.logs.clone().unwrap_or_else(|| self.data_dir().join("logs"))
    }

    /// Makes paths relative to the working directory, or absolute.
    pub(crate) fn resolve(&mut self, base: &Path) {
        let tls = self.tls.iter_mut().flat_map(|tls| [&mut tls.cert, &mut tls.key]);
        for path in [&mut self.data_dir, &mut self.logs, &mut self.providers_file].into_iter().flatten().chain(tls) {
            *path = base.join(&*path);
        }
        for ca in self.catalogues.values_mut().filter_map(|catalogue| catalogue.ca.as_mut()) {
            *ca = base.join(&*ca);
        }
        let data_dir = self.data_dir();
        self.database.resolve(base, &data_dir);
    }

    /// Keys in which another configuration differs that are read only when a server starts.
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let differs = [
            ("listen", self.listen != other.listen),
            ("metrics_listen", self.metrics_listen != other.metrics_listen),
            ("tls", self.tls != other.tls),
            ("database", self.database != other.database),
            ("redis", self.redis != other.redis),
            ("data_dir", self.data_dir != other.data_dir),
            ("logs", self.logs != other.logs),
            ("check_interval", self.check_interval != other.check_interval),
            ("catalogue_interval", self.catalogue_interval != other.catalogue_interval),
            ("keep_results", self.keep_results != other.keep_results),
            ("keep_audit", self.keep_audit != other.keep_audit),
            ("trusted_proxies", self.trusted_proxies != other.trusted_proxies),
            ("log", self.log != other.log),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    pub(crate) fn check(&self, config: &Config, mistakes: &mut Mistakes) {
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            let message = format!(
                "other machines can connect to {}, which needs TLS: set server.tls.cert and server.tls.key, or listen on \
                 127.0.0.1",
                self.listen
            );
            config.mistake(mistakes, "listen", message);
        }
        if let Some(message) = self.database.mistake() {
            config.mistake(mistakes, "database.url", message);
        }
        if self.redis.as_ref().is_some_and(|url| !url.expose().starts_with("redis")) {
            config.mistake(
                mistakes,
                "redis",
                "not a Redis URL; write redis://USER:PASSWORD@HOST:PORT/, or rediss://… with TLS",
            );
        }
        if self.check_interval.0 < Duration::from_secs(1) {
            config.mistake(mistakes, "check_interval", "shorter than a second; use 10m");
        }
        if self.catalogue_interval.0 < Duration::from_secs(60) {
            config.mistake(mistakes, "catalogue_interval", "shorter than a minute, which one look may take; use 10m");
        }
        if self.refresh_interval.0 < Duration::from_secs(1) {
            config.mistake(mistakes, "refresh_interval", "shorter than a second; use 30s");
        }
        if self.leak_grace.0 < Duration::from_secs(1) {
            config.mistake(
                mistakes,
                "leak_grace",
                "shorter than a second, in which a provider may still be deleting; use 20s",
            );
        }
        if self.orphan_grace.0 < Duration::from_secs(60) {
            config.mistake(
                mistakes,
                "orphan_grace",
                "shorter than a minute, in which what is missing cannot come back; use 45m",
            );
        }
        if self.keep_results.0 < Duration::from_secs(60) {
            config.mistake(mistakes, "keep_results", "shorter than a minute, so nobody could read them; use 7d");
        }
        for (name, number) in self.release_names.iter().flatten() {
            let is_number =
                number.value.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
            if !is_number && number.value != "newest" {
                let message =
                    format!("`{}` is not a version; write numbers such as '5.12' in quotes, or newest", number.value);
                config.mistake_at(mistakes, number, &format!("release_names.{name}"), message);
            }
        }
        if self.keep_audit.0 < Duration::from_secs(24 * 3600) {
            config.mistake(mistakes, "keep_audit", "shorter than a day, so nobody could read them; use 400d");
        }
        naming::check(self.template_names.as_deref().unwrap_or_default(), config, mistakes);
        for (name, catalogue) in &self.catalogues {
            catalogue.check(name, config, mistakes);
        }
        for (name, group) in &self.groups {
            group.check(name, config, mistakes);
        }
    }
}
