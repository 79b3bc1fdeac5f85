//! Overrides from the environment: which variables there are, as a tree in the shape of the section they change.

use std::{collections::BTreeMap, env, ffi::OsString};

use crate::error::{ConfigError, did_you_mean};

const PREFIX: &str = "SPROUT_";

/// What the environment changes in one section.
#[derive(Debug, Default)]
pub(crate) struct Overrides(BTreeMap<String, Override>);

/// One override, or those below one key.
#[derive(Debug)]
pub(crate) enum Override {
    /// The value of a variable.
    Value { variable: String, value: String },
    /// Overrides of single keys of a mapping. Never empty.
    Inner(BTreeMap<String, Override>),
}

impl Override {
    /// A variable that takes part in it, to be named in an error.
    pub(crate) fn variable(&self) -> &str {
        match self {
            Self::Value { variable, .. } => variable,
            Self::Inner(inner) => inner.values().next().map_or("", Self::variable),
        }
    }
}

impl Overrides {
    pub(crate) fn from_environment(section: &str, known: &[&str]) -> Result<Self, ConfigError> {
        Self::from_variables(env::vars_os(), section, known)
    }

    pub(crate) fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        section: &str,
        known: &[&str],
    ) -> Result<Self, ConfigError> {
        let mut tree = BTreeMap::new();
        for (variable, value) in variables {
            let Some(variable) = variable.to_str() else { continue };
            let Some(path) = variable.strip_prefix(PREFIX).filter(|path| path.contains("__")) else { continue };
            let fail = |message: String| ConfigError::Environment { variable: variable.to_owned(), message };
            let path = path.to_lowercase();
            let mut keys = path.split("__");
            let first = keys.next().unwrap_or_default();
            if !known.contains(&first) {
                let hint = did_you_mean(first, known);
                return Err(fail(format!("there is no section `{first}`{hint}; sections are: {}", known.join(", "))));
            }
            if first == section {
                let value = value.into_string().map_err(|_| fail("its value is not UTF-8".to_owned()))?;
                insert(&mut tree, keys, Override::Value { variable: variable.to_owned(), value }).map_err(fail)?;
            }
        }
        Ok(Self(tree))
    }

    pub(crate) fn tree(&self) -> &BTreeMap<String, Override> {
        &self.0
    }
}

fn insert<'k>(
    tree: &mut BTreeMap<String, Override>,
    mut keys: impl Iterator<Item = &'k str> + Clone,
    value: Override,
) -> Result<(), String> {
    let key = keys.next().filter(|key| !key.is_empty()).ok_or("its name has an empty part; write SECTION__KEY")?;
    if keys.clone().next().is_none() {
        return match tree.insert(key.to_owned(), value) {
            None => Ok(()),
            Some(other) => Err(format!("it sets the same as {}; unset one of them", other.variable())),
        };
    }
    match tree.entry(key.to_owned()).or_insert_with(|| Override::Inner(BTreeMap::new())) {
        Override::Inner(inner) => insert(inner, keys, value),
        Override::Value { variable, .. } => Err(format!("{variable} sets all of `{key}` already; unset one of them")),
    }
}
