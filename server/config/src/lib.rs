//! What a server is configured with: the section `server` of `sprout.yaml`, the providers of `cfme_data.yaml`, and the credentials of
//! `credentials.yaml`.
//!
//! [`read`] gives what the files say; mistakes are collected in [`Mistakes`], by this crate and by whoever makes more of the values, so that
//! all of them are told together. [`check`] looks at any configuration file, without a server.

mod catalogue;
mod check;
mod credentials;
mod database;
mod group;
mod keys;
mod memory;
mod naming;
mod preparation;
mod provider;
mod server;
mod ssh_key;
mod time;
mod tls;

use std::path::{Path, PathBuf};

use sprout_conf::{ConfigError, Dialect, Document, KeySource, Located, Node};

pub use sprout_conf::{InvalidConfig, Mistakes, Secret};

pub use self::{
    catalogue::CatalogueConfig,
    check::{Checked, check, show},
    credentials::Credentials,
    database::DatabaseConfig,
    group::{CheckConfig, EndpointConfig, GroupConfig, HttpConfig, NothingToSet, ProbeConfig},
    keys::known_keys,
    memory::Memory,
    naming::{NameRuleConfig, SHIPPED_STREAMS},
    preparation::{ActionConfig, HttpCallConfig, PrepareConfig, SshConfig, UploadConfig},
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
/// Where the credentials of providers are, next to the file with the providers.
const CREDENTIALS_FILE: &str = "credentials.yaml";

/// Everything a server is configured with; paths in it are resolved.
#[derive(Debug)]
pub struct Config {
    /// The section.
    pub server: ServerConfig,
    /// The providers that are used.
    pub providers: Vec<ProviderConfig>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// Files whose change, coming or going would change it.
    pub watched: Vec<PathBuf>,
    /// What is right, and maybe not meant so.
    pub notes: Vec<String>,
    /// The section as it is written; none: nothing but defaults.
    section: Option<Node>,
}

impl Config {
    /// Defaults, with all data in one directory, and the providers of a `cfme_data.yaml` there, if there is one.
    pub fn in_directory(data_dir: &Path, mistakes: &mut Mistakes) -> Self {
        let mut server = ServerConfig { data_dir: Some(data_dir.into()), ..ServerConfig::default() };
        server.resolve(data_dir);
        let mut config = Self::of(server, None);
        config.read_providers(data_dir, mistakes);
        config
    }

    fn of(server: ServerConfig, section: Option<Node>) -> Self {
        Self { server, providers: Vec::new(), files: Vec::new(), watched: Vec::new(), notes: Vec::new(), section }
    }

    /// Notes a mistake at the value at `path` of the section.
    pub fn mistake(&self, mistakes: &mut Mistakes, path: &str, message: impl Into<String>) {
        let place = self.section.as_ref().map(|section| section.nearest(path).place().clone());
        mistakes.add(place, format!("{SECTION}.{path}"), message);
    }

    /// As [`Self::mistake`], at the place of a value.
    pub fn mistake_at<T>(&self, mistakes: &mut Mistakes, at: &Located<T>, path: &str, message: impl Into<String>) {
        match &at.place {
            Some(place) => mistakes.add(Some(place.clone()), format!("{SECTION}.{path}"), message),
            None => self.mistake(mistakes, path, message),
        }
    }

    /// A file that is named must be there; the one that is only looked for need not be.
    fn read_providers(&mut self, base: &Path, mistakes: &mut Mistakes) {
        let named = self.server.providers_file.clone();
        let file = named.clone().unwrap_or_else(|| base.join(PROVIDERS_FILE));
        let credentials_file = file.with_file_name(CREDENTIALS_FILE);
        let directory = file.parent().unwrap_or(Path::new(""));
        self.watched.extend([&file, &credentials_file].into_iter().flat_map(|file| sprout_conf::files_of(file)));
        self.watched.extend(sprout_conf::key_files_of(directory));
        let providers = match Document::open(&file, Dialect::Legacy, &KeySource::default()) {
            Err(ConfigError::Missing { .. }) if named.is_none() => return,
            Err(error) => return mistakes.add_error(error),
            Ok(providers) => providers,
        };
        self.note(&providers);
        let credentials = match Document::open_if_there(&credentials_file, Dialect::Legacy, &KeySource::default()) {
            Ok(credentials) => credentials,
            Err(error) => return mistakes.add_error(error),
        };
        if let Some(credentials) = &credentials {
            self.note(credentials);
        }
        let book = credentials::Book::new(credentials.as_ref(), &credentials_file);
        self.providers = provider::read(&providers, &file, &book, &mut self.watched, mistakes);
    }

    /// Reads what groups and catalogues name: files, and credentials.
    fn read_named(&mut self, base: &Path, mistakes: &mut Mistakes) {
        let mut groups = std::mem::take(&mut self.server.groups);
        for (name, group) in &mut groups {
            for (file, wrong) in group.read_files(base) {
                if let Some(message) = wrong {
                    self.mistake(mistakes, &format!("groups.{name}.prepare"), message);
                }
                self.watched.push(file);
            }
        }
        let mut catalogues = std::mem::take(&mut self.server.catalogues);
        if groups.values().any(GroupConfig::has_credentials) || catalogues.values().any(|one| one.credentials.is_some())
        {
            let providers = self.server.providers_file.clone().unwrap_or_else(|| base.join(PROVIDERS_FILE));
            let file = providers.with_file_name(CREDENTIALS_FILE);
            match Document::open_if_there(&file, Dialect::Legacy, &KeySource::default()) {
                Ok(document) => {
                    let book = credentials::Book::new(document.as_ref(), &file);
                    for (name, group) in &mut groups {
                        group.resolve(name, &book, mistakes);
                    }
                    for (name, catalogue) in &mut catalogues {
                        catalogue.resolve(name, &book, mistakes);
                    }
                }
                Err(error) => mistakes.add_error(error),
            }
        }
        self.server.groups = groups;
        self.server.catalogues = catalogues;
    }

    /// Reads the certificates that sign those of catalogues.
    fn read_certificates(&mut self, mistakes: &mut Mistakes) {
        let mut catalogues = std::mem::take(&mut self.server.catalogues);
        for (name, catalogue) in &mut catalogues {
            if let Err(message) = catalogue.read_ca() {
                self.mistake(mistakes, &format!("catalogues.{name}.ca"), message);
            }
            self.watched.extend(catalogue.ca.clone());
        }
        self.server.catalogues = catalogues;
    }

    /// Notes groups that no template can ever be found for.
    fn note_unserved(&mut self) {
        for name in naming::unserved(&self.server) {
            let path = format!("groups.{name}");
            let place = self.section.as_ref().map(|section| format!("{}: ", section.nearest(&path).place()));
            self.notes.push(format!(
                "{}{SECTION}.{path}: no template can be found for it: no rule of template_names is for its stream, and it has no template_pattern",
                place.unwrap_or_default()
            ));
        }
    }

    /// Remembers what a document was made of.
    fn note(&mut self, document: &Document) {
        self.files.extend_from_slice(document.files());
        self.notes.extend_from_slice(document.notes());
    }
}

/// Reads `sprout.yaml` and the file of providers it names. `None` if `sprout.yaml` cannot be read at all; what is wrong
/// is in `mistakes`.
pub fn read(file: &Path, mistakes: &mut Mistakes) -> Option<Config> {
    let document = match Document::open(file, Dialect::Strict, &KeySource::default()) {
        Ok(document) => document,
        Err(error) => {
            mistakes.add_error(error);
            return None;
        }
    };
    let section = document.section_tree(SECTION, SECTIONS, mistakes)?;
    let mut server: ServerConfig = section.read("", &[], mistakes)?;
    let base = file.parent().unwrap_or(Path::new(""));
    server.resolve(base);
    let mut config = Config::of(server, Some(section));
    config.watched.extend(sprout_conf::files_of(file));
    config.watched.extend(sprout_conf::key_files_of(base));
    config.note(&document);
    config.read_providers(base, mistakes);
    config.read_named(base, mistakes);
    config.read_certificates(mistakes);
    config.server.check(&config, mistakes);
    config.note_unserved();
    Some(config)
}
