//! Collects what is wrong, to be told all at once.

use std::{fmt, path::Path};

use serde_saphyr::Location;
use sprout_conf::ConfigError;

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

/// The configuration cannot be used; displays one line for each mistake.
#[derive(Debug, thiserror::Error)]
pub struct InvalidConfig(Vec<String>);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Mistakes {
    /// `value` if nothing is wrong.
    pub fn or<T>(self, value: T) -> Result<T, InvalidConfig> {
        if self.0.is_empty() { Ok(value) } else { Err(InvalidConfig(self.0)) }
    }

    /// Like [`Self::or`], where there is no value only if something is wrong.
    pub fn or_some<T>(mut self, value: Option<T>) -> Result<T, InvalidConfig> {
        if value.is_none() && self.0.is_empty() {
            self.0.push("the configuration cannot be used".to_owned());
        }
        match value {
            Some(value) => self.or(value),
            None => Err(InvalidConfig(self.0)),
        }
    }

    /// A file that cannot be read at all.
    pub(crate) fn add_file(&mut self, error: ConfigError) {
        self.0.push(error.to_string());
    }

    /// A value that cannot be used: its file, place (where one is known) and path in the file.
    pub(crate) fn add(&mut self, file: Option<&Path>, at: Option<Location>, path: &str, message: String) {
        let place = at.filter(|at| *at != Location::UNKNOWN).map(|at| format!(":{}:{}", at.line(), at.column()));
        let file = file.map(|file| format!("{}{}: ", file.display(), place.unwrap_or_default()));
        self.0.push(format!("{}{path}: {message}", file.unwrap_or_default()));
    }
}
