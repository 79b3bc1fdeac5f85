//! What can be wrong with a configuration file, each said in one sentence: where, what, and what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_saphyr::{Error as YamlError, MessageFormatter, UserMessageFormatter};

/// Why a configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("{}: file not found; create it or name another one", path.display())]
    Missing {
        /// The file asked for.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{}: {message}", Place { path, at: *at })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and column, both from 1; absent where the whole file is meant.
        at: Option<(u64, u64)>,
        /// What is wrong, and what is expected.
        message: String,
    },
    /// An override in the environment is wrong.
    #[error("environment variable {variable}: {message}")]
    Environment {
        /// Its name.
        variable: String,
        /// What is wrong, and what is expected.
        message: String,
    },
}

struct Place<'a> {
    path: &'a Path,
    at: Option<(u64, u64)>,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.at.map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

impl ConfigError {
    pub(crate) fn from_yaml(path: &Path, error: &YamlError) -> Self {
        let at = error.location().map(|at| (at.line(), at.column()));
        Self::Invalid { path: path.into(), at, message: describe(error) }
    }

    pub(crate) fn empty(path: &Path) -> Self {
        Self::Invalid {
            path: path.into(),
            at: None,
            message: "the file is empty, expected keys with values".to_owned(),
        }
    }

    pub(crate) fn from_absent(path: &Path, section: &str, error: &YamlError) -> Self {
        let message = format!("section `{section}` is empty or not there: {}", describe(error));
        Self::Invalid { path: path.into(), at: None, message }
    }

    pub(crate) fn from_environment(variable: String, error: &YamlError) -> Self {
        Self::Environment { variable, message: describe(error) }
    }
}

/// What is wrong, without its place, and without values of texts: they may be secrets in the wrong line.
pub(crate) fn describe(error: &YamlError) -> String {
    match error.without_snippet() {
        YamlError::SerdeUnknownField { field, expected, .. } if expected.is_empty() => {
            format!("unknown key `{field}`; none is expected here")
        }
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`{}; known keys are: {}", did_you_mean(field, expected), expected.join(", "))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value `{variant}`{}; use one of: {}", did_you_mean(variant, expected), expected.join(", "))
        }
        YamlError::SerdeMissingField { field, .. } => format!("key `{field}` is missing"),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key `{key}` is there twice; remove one of them")
        }
        YamlError::DuplicateMappingKey { key: None, .. } => "a key is there twice; remove one of them".to_owned(),
        YamlError::SerdeInvalidType { unexpected, expected, .. }
        | YamlError::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("found {}, expected {expected}", kind(unexpected))
        }
        YamlError::InvalidScalar { ty, .. } => format!("not a valid value, expected {ty}"),
        YamlError::InvalidBooleanStrict { .. } => "not a valid value, expected true or false".to_owned(),
        YamlError::NullIntoString { .. } => "no value, expected a text (write \"\" for an empty one)".to_owned(),
        YamlError::Unexpected { expected: "mapping start", .. } => "expected keys with values".to_owned(),
        YamlError::Unexpected { expected: "sequence start", .. } => "expected a list".to_owned(),
        YamlError::Unexpected { expected: "string scalar", .. } => "expected a text".to_owned(),
        YamlError::Unexpected { expected, .. } => format!("expected {expected}"),
        YamlError::MultipleDocuments { .. } => "a second document starts; remove the line `---` above it".to_owned(),
        YamlError::Budget { .. } => "too large or too deeply nested for a configuration file".to_owned(),
        other => match UserMessageFormatter.format_message(other).into_owned() {
            tabs if tabs.starts_with("tabs ") => format!("{tabs}; indent with spaces"),
            message => message,
        },
    }
}

/// The kind of an unexpected value without the value of a text.
fn kind(unexpected: &str) -> &str {
    if unexpected.starts_with("string ") { "a text" } else { unexpected }
}

/// The known name nearest to a wrong one, as a clause to append.
pub(crate) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}
