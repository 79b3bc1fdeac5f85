//! The configuration file: which server, and the token `login` got from it.

use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sprout_conf::{ConfigError, Secret};

use crate::failure::Failure;

/// What the file holds. Every key may be absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// One URL, or several of one installation, separated by commas.
    pub(crate) server: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure: bool,
    /// Belongs to `server`, and is sent to no other.
    pub(crate) token: Option<Secret>,
}

impl Config {
    /// Whether it is about this server: its one, or one of its several.
    pub(crate) fn is_for(&self, server: &str) -> bool {
        self.server.as_deref().is_some_and(|saved| saved.split(',').any(|saved| saved.trim() == server.trim()))
    }
}

/// `$XDG_CONFIG_HOME/sprout/config.yaml`, or `~/.config/sprout/config.yaml`.
pub(crate) fn default_path() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(base.join("sprout/config.yaml"))
}

/// Reads the file. One that is not there, or has nothing in it, is an empty configuration.
pub(crate) fn load(path: &Path) -> Result<Config, Failure> {
    match sprout_conf::load(path) {
        Err(ConfigError::Missing { .. }) => Ok(Config::default()),
        read => Ok(read?),
    }
}

/// Replaces the file at once and as a whole, readable by its owner only.
pub(crate) fn save(path: &Path, config: &Config) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct File<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ca: Option<&'a Path>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        insecure: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
    }
    let file = File {
        server: config.server.as_deref(),
        ca: config.ca.as_deref(),
        insecure: config.insecure,
        token: config.token.as_ref().map(Secret::expose),
    };
    let failed = |source| Failure::Io { what: format!("{} cannot be written", path.display()), source };
    let yaml = serde_saphyr::to_string(&file).map_err(|e| failed(io::Error::other(e)))?;
    replace(path, &format!("# Written by `sproutctl login`; keep it private, it holds a token.\n{yaml}"))
        .map_err(failed)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let temporary = directory.join(format!(".config.{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_saved_is_private_and_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.yaml");
        let config = Config {
            server: Some("https://sprout.example.com".into()),
            ca: None,
            insecure: false,
            token: Some(Secret::from("1234567890: #x".to_owned())),
        };
        save(&path, &config).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let read = load(&path).unwrap();
        assert_eq!(read.server, config.server);
        assert_eq!(read.token.unwrap().expose(), "1234567890: #x");
    }

    #[test]
    fn a_missing_file_is_an_empty_configuration() {
        assert!(load(Path::new("/nowhere/config.yaml")).unwrap().server.is_none());
        assert!(load(Path::new("/dev/null")).unwrap().server.is_none());
    }
}
