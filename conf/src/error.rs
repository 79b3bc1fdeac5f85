//! What can be wrong with configuration, each said in one sentence: where, what, and what to do.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::Place;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where; none: it is about something that is written nowhere.
    pub place: Option<Place>,
    /// Path of the value, e.g. `server.groups.demo`; empty where the place says enough.
    pub path: String,
    /// What is wrong, and what is expected. Never has the value of a text in it: that may be a secret in the wrong line.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Collects what is wrong, to be told all at once.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

/// The configuration cannot be used; displays one line for each mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfig(Vec<Mistake>);

impl InvalidConfig {
    /// All that is wrong.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl Mistakes {
    /// Adds one. The same thing is told once.
    pub fn add(&mut self, place: Option<Place>, path: impl Into<String>, message: impl Into<String>) {
        let mistake = Mistake { place, path: path.into(), message: message.into() };
        if !self.0.contains(&mistake) {
            self.0.push(mistake);
        }
    }

    /// Adds those of an error.
    pub fn add_error(&mut self, error: ConfigError) {
        match error {
            ConfigError::Missing { path } => self.add(Some(Place::file(&path)), "", MISSING),
            ConfigError::Invalid(InvalidConfig(mistakes)) => {
                for Mistake { place, path, message } in mistakes {
                    self.add(place, path, message);
                }
            }
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }

    /// `value` if nothing is wrong.
    pub fn or<T>(self, value: T) -> Result<T, InvalidConfig> {
        if self.0.is_empty() { Ok(value) } else { Err(InvalidConfig(self.0)) }
    }

    /// Like [`Self::or`], where there is no value only if something is wrong.
    pub fn or_some<T>(mut self, value: Option<T>) -> Result<T, InvalidConfig> {
        if value.is_none() && self.0.is_empty() {
            self.add(None, "", "the configuration cannot be used");
        }
        match value {
            Some(value) => self.or(value),
            None => Err(InvalidConfig(self.0)),
        }
    }
}

const MISSING: &str = "file not found; create it or name another one";

/// Why a configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("{}: {MISSING}", path.display())]
    Missing {
        /// The file asked for.
        path: PathBuf,
    },
    /// The file cannot be read, or what is in it cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidConfig),
}

impl ConfigError {
    /// A file that is wrong as a whole.
    pub(crate) fn of_file(path: &Path, message: impl Into<String>) -> Self {
        let mistake = Mistake { place: Some(Place::file(path)), path: String::new(), message: message.into() };
        Self::Invalid(InvalidConfig(vec![mistake]))
    }
}

/// The known name nearest to a wrong one, as a clause to append.
pub fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}
