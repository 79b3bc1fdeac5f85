//! One configuration as a whole: `NAME.yaml` or `NAME.eyaml`, with `NAME.local.yaml` or `NAME.local.eyaml` over it.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{
    ConfigError, Mistakes, Place,
    crypt::{self, Key},
    env,
    inherit::inherit,
    node::Node,
    parse::{MAX_BYTES, parse},
    place::Origin,
    scalar::Dialect,
};

/// Where keys of encrypted files are from.
#[derive(Debug, Clone, Default)]
pub struct KeySource {
    /// A file that was named; else the environment and `.yaml_key` are looked at.
    pub file: Option<PathBuf>,
}

/// What the files of one name say together.
#[derive(Debug)]
pub struct Document {
    root: Node,
    /// The file it was asked for by.
    path: PathBuf,
    files: Vec<PathBuf>,
    notes: Vec<String>,
}

impl Document {
    /// Reads all files of a name; `path` is that of any of the first layer, whether it is there or not.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] if there is none of them; else all that is wrong with them.
    pub fn open(path: &Path, dialect: Dialect, keys: &KeySource) -> Result<Self, ConfigError> {
        let mut mistakes = Mistakes::default();
        let mut document =
            Self { root: Node::empty(Place::file(path)), path: path.into(), files: Vec::new(), notes: Vec::new() };
        for layer in layers(path) {
            document.lay(layer, dialect, keys, &mut mistakes);
        }
        if document.files.is_empty() && mistakes.is_empty() {
            return Err(ConfigError::Missing { path: path.into() });
        }
        if !document.root.is_map() {
            let place = document.root.place.clone();
            mistakes.add(Some(place), "", format!("found {}, expected keys with values", document.root.kind()));
        }
        if dialect == Dialect::Legacy {
            document.root = inherit(&document.root, &mut mistakes);
        }
        Ok(mistakes.or(document)?)
    }

    /// As [`Self::open`]; none if there is none of the files.
    pub fn open_if_there(path: &Path, dialect: Dialect, keys: &KeySource) -> Result<Option<Self>, ConfigError> {
        match Self::open(path, dialect, keys) {
            Ok(document) => Ok(Some(document)),
            Err(ConfigError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All that is said.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The files that were read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is right, and maybe not meant so.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Lays one layer over what is there: the first of its files that exists.
    fn lay(&mut self, layer: Vec<PathBuf>, dialect: Dialect, keys: &KeySource, mistakes: &mut Mistakes) {
        let mut used: Option<&PathBuf> = None;
        for file in &layer {
            if !there(file) {
                continue;
            }
            if let Some(used) = used {
                self.notes.push(format!("{} is not used, because {} is there, too", file.display(), used.display()));
                continue;
            }
            used = Some(file);
            self.files.push(file.clone());
            match read_file(file, dialect, keys) {
                // A file without content changes nothing.
                Ok(node) if node.is_null() => {}
                Ok(node) if !node.is_map() => {
                    mistakes.add(
                        Some(node.place.clone()),
                        "",
                        format!("found {}, expected keys with values", node.kind()),
                    );
                }
                Ok(node) => self.root.lay(node, mistakes),
                Err(error) => mistakes.add_error(error),
            }
        }
    }

    /// Reads all of it into `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut mistakes = Mistakes::default();
        if self.root.entries().is_empty() {
            mistakes.add(Some(Place::file(&self.path)), "", "the file is empty, expected keys with values");
        }
        let read = if mistakes.is_empty() { self.root.read("", &[], &mut mistakes) } else { None };
        Ok(mistakes.or_some(read)?)
    }

    /// Reads one section; see [`crate::section`].
    pub fn section<T: DeserializeOwned>(
        &self,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Result<T, ConfigError> {
        let mut mistakes = Mistakes::default();
        let overrides = env::overrides(name, known, &mut mistakes);
        self.section_under(name, known, overrides, mistakes)
    }

    /// One section as a tree, with the overrides of the environment; none if it cannot be read.
    pub fn section_tree(
        &self,
        name: &'static str,
        known: &'static [&'static str],
        mistakes: &mut Mistakes,
    ) -> Option<Node> {
        let overrides = env::overrides(name, known, mistakes);
        self.tree_under(name, known, overrides, mistakes)
    }

    /// As [`Self::section`], with the environment and what is wrong with it.
    pub(crate) fn section_under<T: DeserializeOwned>(
        &self,
        name: &'static str,
        known: &'static [&'static str],
        overrides: Option<Node>,
        mut mistakes: Mistakes,
    ) -> Result<T, ConfigError> {
        let section = self.tree_under(name, known, overrides, &mut mistakes);
        let read = section.and_then(|section| {
            // Nothing of it is written anywhere.
            let is_absent = section.entries().is_empty() && section.place.at.is_none();
            let path = if is_absent { format!("section `{name}` is empty or not there") } else { String::new() };
            section.read(&path, &[], &mut mistakes)
        });
        Ok(mistakes.or_some(read)?)
    }

    fn tree_under(
        &self,
        name: &'static str,
        known: &'static [&'static str],
        overrides: Option<Node>,
        mistakes: &mut Mistakes,
    ) -> Option<Node> {
        for (key, _) in self.root.entries() {
            if !known.contains(&key.text.as_str()) {
                let hint = crate::did_you_mean(&key.text, known);
                let message = format!("unknown key `{}`{hint}; known keys are: {}", key.text, known.join(", "));
                mistakes.add(Some(key.place.clone()), "", message);
            }
        }
        let found = self.root.get(name).filter(|section| !section.is_null());
        if found.is_none() && overrides.is_none() && !mistakes.is_empty() {
            // It is most likely the section that has another name.
            return None;
        }
        let mut section = found.cloned().unwrap_or_else(|| Node::empty(Place::file(&self.path)));
        if let Some(overrides) = overrides {
            section.lay(overrides, mistakes);
        }
        Some(section)
    }
}

/// The layers of a name, lowest first; of each, the files that can make it, the one that wins first.
fn layers(path: &Path) -> Vec<Vec<PathBuf>> {
    let name = path.file_name().and_then(|name| name.to_str());
    let stem = name.and_then(|name| name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".eyaml")));
    let Some(stem) = stem.filter(|stem| !stem.is_empty()) else { return vec![vec![path.into()]] };
    let files = |stem: &str| ["yaml", "eyaml"].map(|ending| path.with_file_name(format!("{stem}.{ending}"))).to_vec();
    vec![files(stem), files(&format!("{stem}.local"))]
}

/// All files that make, or would make, the configuration of a name.
pub fn files_of(path: &Path) -> Vec<PathBuf> {
    layers(path).concat()
}

/// Whether something is there, be it readable or not.
fn there(file: &Path) -> bool {
    !matches!(file.symlink_metadata(), Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// Reads one file, decrypted if it has to be.
pub(crate) fn read_file(file: &Path, dialect: Dialect, keys: &KeySource) -> Result<Node, ConfigError> {
    let mut mistakes = Mistakes::default();
    let encrypted = file.extension().is_some_and(|ending| ending == "eyaml");
    let bytes = read_bytes(file)?;
    let (text, origin) = if encrypted {
        (decrypt(file, &bytes, keys)?, Origin::Encrypted(file.into()))
    } else {
        (text_of(file, &bytes)?, Origin::File(file.into()))
    };
    let node = parse(&text, &origin, dialect, &mut mistakes);
    Ok(mistakes.or_some(node)?)
}

/// What is in an encrypted file.
pub(crate) fn decrypt(file: &Path, bytes: &[u8], keys: &KeySource) -> Result<Zeroizing<String>, ConfigError> {
    let directory = file.parent().unwrap_or(Path::new(""));
    let key =
        Key::find(directory, keys.file.as_deref()).map_err(|error| ConfigError::of_file(file, error.to_string()))?;
    crypt::decrypt(bytes, &key).map_err(|error| ConfigError::of_file(file, error.to_string()))
}

/// The bytes of a file that is not larger than any configuration.
pub(crate) fn read_bytes(file: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: file.into() },
        _ => ConfigError::of_file(file, format!("cannot be read: {error}")),
    };
    let opened = File::open(file).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    // Room for all of it at once: a buffer that grows leaves copies behind that nobody wipes.
    let room = usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("larger than {} MiB, too large for a configuration file", MAX_BYTES / 1024 / 1024);
        return Err(ConfigError::of_file(file, message));
    }
    Ok(bytes)
}

/// The text of a file.
pub(crate) fn text_of(file: &Path, bytes: &[u8]) -> Result<Zeroizing<String>, ConfigError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            let column = String::from_utf8_lossy(before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default());
            let mut mistakes = Mistakes::default();
            let place = Place::at(&Origin::File(file.into()), line, column.chars().count() + 1);
            mistakes.add(Some(place), "", "not a UTF-8 text; save the file as UTF-8");
            Ok(mistakes.or_some(None)?)
        }
    }
}
