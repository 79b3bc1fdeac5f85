//! Who signs in at a provider: in place, or by a key of `credentials.yaml`.

use std::{collections::BTreeMap, path::Path};

use sprout_conf::{Document, Located, Mistakes, Node, Secret, did_you_mean};

use crate::ssh_key;

/// A name, its password, and whatever else a provider asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `username`, or `principal`.
    pub username: Option<String>,
    /// `password`, or `secret`.
    pub password: Option<Secret>,
    /// Everything else, e.g. `token` or `domain`; what is inside of mappings has a dot in its name.
    pub others: BTreeMap<String, Secret>,
}

/// Names that mean the same.
const SYNONYMS: [(&str, &str); 2] = [("username", "principal"), ("password", "secret")];

/// The credentials of `credentials.yaml`.
pub(crate) struct Book<'a> {
    document: Option<&'a Document>,
    file: &'a Path,
}

impl<'a> Book<'a> {
    /// Those of a document; `file` is where it is looked for.
    pub(crate) fn new(document: Option<&'a Document>, file: &'a Path) -> Self {
        Self { document, file }
    }

    /// The credentials that are written here, or those that are named here. `path` is told with mistakes.
    pub(crate) fn resolve(&self, node: &Node, path: &str, mistakes: &mut Mistakes) -> Option<Credentials> {
        Some(Credentials::of(self.find(node, path, mistakes)?, path, mistakes))
    }

    /// The mapping that this is or stands for.
    fn find<'n>(&'n self, node: &'n Node, path: &str, mistakes: &mut Mistakes) -> Option<&'n Node> {
        let (mut node, mut seen) = (node, Vec::new());
        let wrong = |node: &Node, message: String, mistakes: &mut Mistakes| {
            mistakes.add(Some(node.place().clone()), path, message);
            None
        };
        // A key may stand for another one.
        while let Some(key) = node.text() {
            if seen.contains(&key) {
                let message = format!("credentials `{key}` stand for themselves, by way of this; write a mapping");
                return wrong(node, message, mistakes);
            }
            seen.push(key);
            let Some(document) = self.document else {
                let message = format!("there are no credentials `{key}`: {} is not there", self.file.display());
                return wrong(node, message, mistakes);
            };
            let Some(found) = document.root().get(key) else {
                let known: Vec<_> = document.root().entries().iter().map(|(key, _)| key.text.as_str()).collect();
                let hint = did_you_mean(key, &known);
                let message = format!("there are no credentials `{key}`{hint} in {}", self.file.display());
                return wrong(node, message, mistakes);
            };
            node = found;
        }
        if !node.is_map() {
            let message = format!("found {}, expected a mapping with username and password, or its key", node.kind());
            return wrong(node, message, mistakes);
        }
        Some(node)
    }

    /// The credentials of this key.
    pub(crate) fn named(&self, key: &Located<String>, path: &str, mistakes: &mut Mistakes) -> Option<Credentials> {
        Some(Credentials::of(self.find_named(key, path, mistakes)?, path, mistakes))
    }

    /// The credentials of this key, for SSH.
    pub(crate) fn for_ssh(&self, key: &Located<String>, path: &str, mistakes: &mut Mistakes) -> Option<Credentials> {
        let node = self.find_named(key, path, mistakes)?;
        if let Some(private) = node.get("private_key")
            && let Some(wrong) = private.text().and_then(ssh_key::mistake)
        {
            mistakes.add(Some(private.place().clone()), format!("{}.private_key", key.value), wrong);
        }
        Some(Credentials::of(node, path, mistakes))
    }

    fn find_named(&self, key: &Located<String>, path: &str, mistakes: &mut Mistakes) -> Option<&Node> {
        let found = self.document.and_then(|document| document.root().get(&key.value));
        let Some(node) = found else {
            let known: Vec<_> = self.document.iter().flat_map(|document| document.root().entries()).collect();
            let known: Vec<_> = known.into_iter().map(|(key, _)| key.text.as_str()).collect();
            let hint = did_you_mean(&key.value, &known);
            let message = format!("there are no credentials `{}`{hint} in {}", key.value, self.file.display());
            mistakes.add(key.place.clone(), path, message);
            return None;
        };
        self.find(node, path, mistakes)
    }

    /// Looks at all of them.
    pub(crate) fn check(&self, mistakes: &mut Mistakes) {
        for (key, node) in self.document.iter().flat_map(|document| document.root().entries()) {
            self.resolve(node, &key.text, mistakes);
        }
    }
}

impl Credentials {
    fn of(node: &Node, path: &str, mistakes: &mut Mistakes) -> Self {
        for (name, synonym) in SYNONYMS {
            if let (Some(_), Some(other)) = (node.get(name), node.get(synonym)) {
                let message =
                    format!("`{synonym}` is another name of `{name}`, which is there, too; remove one of them");
                mistakes.add(Some(other.place().clone()), path, message);
            }
        }
        let mut credentials = Self::default();
        for (key, value) in node.entries() {
            match key.text.as_str() {
                "username" | "principal" => credentials.username = text(value, path, mistakes).map(str::to_owned),
                "password" | "secret" => credentials.password = text(value, path, mistakes).map(secret),
                _ => credentials.add(&key.text, value),
            }
        }
        credentials
    }

    fn add(&mut self, name: &str, value: &Node) {
        if let Some(text) = value.text() {
            self.others.insert(name.to_owned(), secret(text));
        }
        for (key, value) in value.entries() {
            self.add(&format!("{name}.{}", key.text), value);
        }
        for (index, value) in value.items().iter().enumerate() {
            self.add(&format!("{name}.{index}"), value);
        }
    }
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

/// A text; nothing is no text and no mistake.
fn text<'n>(value: &'n Node, path: &str, mistakes: &mut Mistakes) -> Option<&'n str> {
    if value.is_map() || value.is_list() {
        mistakes.add(Some(value.place().clone()), path, format!("found {}, expected a text", value.kind()));
    }
    value.text()
}
