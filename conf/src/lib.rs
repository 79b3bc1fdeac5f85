//! Reads the YAML configuration files of all processes the same way: strictly, with the place of every mistake, with `NAME.local.yaml` over
//! `NAME.yaml`, encrypted files decrypted in memory, and with overrides from the environment.
//!
//! Files become a tree of values that know their places ([`Node`]); trees are laid over each other, and structs are read from what
//! comes of it. The structs live with the processes they configure; they say `#[serde(deny_unknown_fields)]`. All mistakes are told
//! at once, each as one sentence that starts with `FILE:LINE:COLUMN`.

pub mod crypt;
mod document;
mod env;
mod error;
mod file;
mod inherit;
mod mask;
mod merge;
mod node;
mod parse;
mod place;
mod read;
mod scalar;
mod secret;
mod servers;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use document::{Document, KeySource, files_of};
pub use error::{ConfigError, InvalidConfig, Mistake, Mistakes, did_you_mean};
pub use file::write_private;
pub use mask::MASK;
pub use node::{Key, Node};
pub use place::{Located, Origin, Place};
pub use scalar::Dialect;
pub use secret::Secret;
pub use servers::Servers;

/// Reads one YAML file, without the layers over it, into `T`. Duplicate keys are errors, and so are unknown ones where `T` denies them.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let node = document::read_file(path, Dialect::Strict, &KeySource::default())?;
    let mut mistakes = Mistakes::default();
    if node.is_null() {
        // Which is fine where nothing has to be said.
        if let Some(nothing) = Node::empty(Place::file(path)).read("", &[], &mut mistakes) {
            return Ok(nothing);
        }
        return Err(ConfigError::of_file(path, "the file is empty, expected keys with values"));
    }
    let read = node.read("", &[], &mut mistakes);
    Ok(mistakes.or_some(read)?)
}

/// Reads one top-level section of a YAML file whose other sections belong to other processes, with what is laid over the file
/// (`NAME.local.yaml`), and with overrides from the environment: `SPROUT_SERVER__LISTEN=[::]:7600` sets `listen` of section `server`,
/// and each further `__` goes one level down. Values are YAML, except that texts are taken as they are.
///
/// `known` names all sections the file may have; others are errors. A section that is absent or has no value counts
/// as an empty one.
pub fn section<T: DeserializeOwned>(
    path: &Path,
    name: &'static str,
    known: &'static [&'static str],
) -> Result<T, ConfigError> {
    Document::open(path, Dialect::Strict, &KeySource::default())?.section(name, known)
}

/// The text in an encrypted file.
pub fn decrypt_file(path: &Path, keys: &KeySource) -> Result<Zeroizing<String>, ConfigError> {
    document::decrypt(path, &document::read_bytes(path)?, keys)
}

/// The text of a file that is about to be encrypted: YAML that can be read.
pub fn plain_file(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let text = document::text_of(path, &document::read_bytes(path)?)?;
    let mut mistakes = Mistakes::default();
    let node = parse::parse(&text, &Origin::File(path.into()), Dialect::Legacy, &mut mistakes);
    Ok(mistakes.or_some(node.map(|_| text))?)
}

/// Files that are looked at for the key of encrypted files in a directory.
pub fn key_files_of(directory: &Path) -> Vec<PathBuf> {
    crypt::key_files(directory).into()
}

#[cfg(test)]
mod tests;
