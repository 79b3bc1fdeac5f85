//! Looks at configuration files without a server: what is wrong in them, and what they say together.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sprout_conf::{ConfigError, Dialect, Document, KeySource, Mistakes, Node};

use crate::{CREDENTIALS_FILE, credentials::Book};

/// What was found out about files.
#[derive(Debug, Default)]
pub struct Checked {
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// What is right, and maybe not meant so.
    pub notes: Vec<String>,
    /// What is wrong.
    pub mistakes: Mistakes,
}

/// What a file is for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Sprout,
    Providers,
    Credentials,
    Environment,
    Other,
}

/// Checks a file with what is laid over it and what it names, or all configuration files of a directory.
pub fn check(path: &Path) -> Checked {
    let mut checked = Checked::default();
    match names(path) {
        Ok(names) if names.is_empty() => {
            let place = sprout_conf::Place::file(path);
            checked.mistakes.add(
                Some(place),
                "",
                "there is no configuration in this directory; name a file, or another one",
            );
        }
        Ok(names) => names.iter().for_each(|name| checked.look_at(name)),
        Err(error) => {
            let place = sprout_conf::Place::file(path);
            checked.mistakes.add(Some(place), "", format!("cannot be read: {error}"));
        }
    }
    let files: BTreeSet<_> = checked.files.drain(..).collect();
    checked.files.extend(files);
    let notes: BTreeSet<_> = checked.notes.drain(..).collect();
    checked.notes.extend(notes);
    checked
}

/// What a file says with all that is laid over it, and secrets covered.
///
/// # Errors
/// All that keeps the files from being read.
pub fn show(path: &Path) -> Result<Node, ConfigError> {
    let purpose = purpose(path);
    let document = Document::open(path, purpose.dialect(), &KeySource::default())?;
    Ok(document.root().masked(purpose == Purpose::Credentials))
}

/// The files to look at: the given one, or the first layers of those in a directory.
fn names(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".eyaml")) else { continue };
        let stem = stem.strip_suffix(".local").unwrap_or(stem);
        if !stem.is_empty() && !stem.starts_with('.') {
            names.insert(path.join(format!("{stem}.yaml")));
        }
    }
    Ok(names.into_iter().collect())
}

fn purpose(path: &Path) -> Purpose {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.split('.').next().unwrap_or_default() {
        "sprout" => Purpose::Sprout,
        "cfme_data" => Purpose::Providers,
        "credentials" => Purpose::Credentials,
        "env" => Purpose::Environment,
        _ => Purpose::Other,
    }
}

impl Purpose {
    fn dialect(self) -> Dialect {
        if self == Self::Sprout { Dialect::Strict } else { Dialect::Legacy }
    }
}

impl Checked {
    fn look_at(&mut self, path: &Path) {
        match purpose(path) {
            Purpose::Sprout => {
                if let Some(config) = crate::read(path, &mut self.mistakes) {
                    self.files.extend(config.files);
                    self.notes.extend(config.notes);
                }
            }
            Purpose::Providers => {
                let Some(providers) = self.open(path, Purpose::Providers) else { return };
                let file = path.with_file_name(CREDENTIALS_FILE);
                let credentials = match Document::open_if_there(&file, Dialect::Legacy, &KeySource::default()) {
                    Ok(credentials) => credentials,
                    Err(error) => return self.mistakes.add_error(error),
                };
                let book = Book::new(credentials.as_ref(), &file);
                crate::provider::read(&providers, path, &book, &mut Vec::new(), &mut self.mistakes);
            }
            Purpose::Credentials => {
                if let Some(document) = self.open(path, Purpose::Credentials) {
                    Book::new(Some(&document), path).check(&mut self.mistakes);
                }
            }
            Purpose::Environment => {
                if let Some(document) = self.open(path, Purpose::Environment) {
                    self.environment(document.root());
                }
            }
            Purpose::Other => {
                self.open(path, Purpose::Other);
            }
        }
    }

    fn open(&mut self, path: &Path, purpose: Purpose) -> Option<Document> {
        match Document::open(path, purpose.dialect(), &KeySource::default()) {
            Ok(document) => {
                self.files.extend_from_slice(document.files());
                self.notes.extend_from_slice(document.notes());
                Some(document)
            }
            Err(error) => {
                self.mistakes.add_error(error);
                None
            }
        }
    }

    /// `env.yaml` is the test suites'; what Sprout's clients write there are appliances.
    fn environment(&mut self, root: &Node) {
        let Some(appliances) = root.get("appliances").filter(|appliances| !appliances.is_null()) else { return };
        if !appliances.is_list() {
            let message = format!("found {}, expected a list of appliances", appliances.kind());
            self.mistakes.add(Some(appliances.place().clone()), "appliances", message);
        }
        for (index, appliance) in appliances.items().iter().enumerate() {
            if appliance.get("hostname").and_then(Node::text).is_none() {
                let message = "key `hostname` is missing";
                self.mistakes.add(Some(appliance.place().clone()), format!("appliances[{index}]"), message);
            }
        }
    }
}
