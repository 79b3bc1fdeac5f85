//! Configuration that is right: read, checked, and turned into what the domain knows.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use sprout_config::{Config, Mistakes, ServerConfig};
use sprout_domain::Catalogue;
use tracing_subscriber::EnvFilter;

use crate::{Error, catalogue::catalogue};

/// What a server runs with.
#[derive(Debug)]
pub struct Settings {
    /// The section `server`.
    pub server: ServerConfig,
    /// Groups and providers.
    pub catalogue: Catalogue,
    /// Where it is from.
    pub loaded: Loaded,
}

/// Where configuration is from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// How to read it again.
    pub(crate) source: Source,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
    /// Files whose change, coming or going would change it.
    pub(crate) watched: Vec<PathBuf>,
    /// What is right, and maybe not meant so.
    pub(crate) notes: Vec<String>,
}

/// How configuration is read.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// From `sprout.yaml`.
    File(PathBuf),
    /// Defaults, with all data in one directory.
    Directory(PathBuf),
}

impl Source {
    /// Reads it.
    pub(crate) fn read(&self) -> Result<Settings, Error> {
        match self {
            Self::File(file) => Settings::read(file),
            Self::Directory(data_dir) => Settings::in_directory(data_dir),
        }
    }
}

impl Loaded {
    /// The files, for people.
    pub(crate) fn file_names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.display().to_string()).collect()
    }
}

impl Settings {
    /// From `sprout.yaml` and what it names. The error tells all mistakes.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let mut mistakes = Mistakes::default();
        let config = sprout_config::read(file, &mut mistakes);
        Self::checked(Source::File(file.into()), config, mistakes)
    }

    /// Defaults, with all data in one directory, and its `cfme_data.yaml` if there is one.
    pub fn in_directory(data_dir: &Path) -> Result<Self, Error> {
        let mut mistakes = Mistakes::default();
        let config = Config::in_directory(data_dir, &mut mistakes);
        Self::checked(Source::Directory(data_dir.into()), Some(config), mistakes)
    }

    fn checked(source: Source, config: Option<Config>, mut mistakes: Mistakes) -> Result<Self, Error> {
        let settings = config.map(|mut config| {
            if let Err(error) = EnvFilter::try_new(&config.server.log) {
                let message =
                    format!("{error}; write a level such as info, or directives such as info,sprout_store=debug");
                config.mistake(&mut mistakes, "log", message);
            }
            let catalogue = catalogue(&config, &mut mistakes);
            let mut watched = std::mem::take(&mut config.watched);
            watched.sort();
            watched.dedup();
            let (files, notes) = (std::mem::take(&mut config.files), std::mem::take(&mut config.notes));
            Self { server: config.server, catalogue, loaded: Loaded { source, files, watched, notes } }
        });
        Ok(mistakes.or_some(settings)?)
    }
}

/// Logs to stderr what `RUST_LOG` says, else what the configuration says.
pub fn start_log(configured: &str) {
    // Each change of a migration is told by us; the configuration can ask for more.
    let filter = || {
        EnvFilter::new(format!(
            "sea_orm_migration=warn,sqlx::postgres::notice=warn,tokio_cron_scheduler=warn,{configured}"
        ))
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter());
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(io::stderr).init();
}
