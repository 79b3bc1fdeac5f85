//! The key of encrypted files, and where it is found.

use std::{
    env,
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{ConfigError, document::read_bytes};

/// File with the key, next to the configuration or in the directory above (the project's, whose `conf` it is).
const KEY_FILE: &str = ".yaml_key";
/// Variables with a key, and with the name of a file that has it: ours, then those of the original tool.
const VARIABLES: [(&str, &str); 2] =
    [("SPROUT_YAML_KEY", "SPROUT_YAML_KEY_FILE"), ("YAYCL_CRYPT_KEY", "YAYCL_CRYPT_KEY_FILE")];

/// A key; wiped from memory when it is dropped, and never printed.
pub struct Key {
    bytes: Zeroizing<Vec<u8>>,
    source: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is none anywhere.
    #[error(
        "this is encrypted, and there is no key; put it into {}, or set SPROUT_YAML_KEY_FILE or SPROUT_YAML_KEY", .0.display()
    )]
    None(PathBuf),
    /// A file cannot be read.
    #[error("the key cannot be read: {0}")]
    Unreadable(#[from] ConfigError),
    /// There is nothing in it.
    #[error("the key from {0} is empty")]
    Empty(String),
}

impl Key {
    /// A key as it is given; `source` tells where it is from.
    pub fn new(bytes: Vec<u8>, source: impl Into<String>) -> Result<Self, KeyError> {
        let (bytes, source) = (Zeroizing::new(bytes), source.into());
        if bytes.is_empty() { Err(KeyError::Empty(source)) } else { Ok(Self { bytes, source }) }
    }

    /// The key for files of a directory: from `file` if one is named, else from the environment, else from `.yaml_key`.
    pub fn find(directory: &Path, file: Option<&Path>) -> Result<Self, KeyError> {
        Self::find_in(directory, file, |name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    pub(crate) fn find_in(
        directory: &Path,
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, KeyError> {
        if let Some(file) = file {
            return Self::read(file);
        }
        for (key, file) in VARIABLES {
            if let Some(bytes) = variable(key) {
                return Self::new(bytes.into_vec(), format!("variable {key}"));
            }
            if let Some(file) = variable(file) {
                return Self::read(Path::new(&file));
            }
        }
        for file in key_files(directory) {
            match Self::read(&file) {
                Err(KeyError::Unreadable(ConfigError::Missing { .. })) => {}
                found => return found,
            }
        }
        Err(KeyError::None(directory.join(KEY_FILE)))
    }

    /// All of a file, a line end at its end included: the original tool takes it so.
    fn read(file: &Path) -> Result<Self, KeyError> {
        let mut bytes = read_bytes(file)?;
        Self::new(std::mem::take(&mut bytes), file.display().to_string())
    }

    /// Where it is from, for messages.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Files that are looked at for a key.
pub(crate) fn key_files(directory: &Path) -> [PathBuf; 2] {
    [directory.join(KEY_FILE), directory.join("..").join(KEY_FILE)]
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[key from {}]", self.source)
    }
}
