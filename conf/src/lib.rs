//! Reads the YAML configuration files of all processes the same way: strictly, with the place of every mistake, and
//! with overrides from the environment.
//!
//! The structs live with the processes they configure; they say `#[serde(deny_unknown_fields)]`, and this crate turns
//! what serde finds into one sentence that starts with `FILE:LINE:COLUMN`.

mod env;
mod error;
mod overlay;
mod secret;
mod servers;

use std::{fmt, fs, io::ErrorKind, marker::PhantomData, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::{Error as YamlError, with_deserializer_from_str_with_options};

pub use error::ConfigError;
pub use secret::Secret;
pub use servers::Servers;

use env::Overrides;
use overlay::{Blame, Overlaid};

/// Reads a whole YAML file into `T`. Duplicate keys are errors, and so are unknown ones where `T` denies them.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read(path)?;
    let has_content = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    serde_saphyr::from_str_with_options(&text, options()).map_err(|e| {
        if text.lines().any(has_content) { ConfigError::from_yaml(path, &e) } else { ConfigError::empty(path) }
    })
}

/// Reads one top-level section of a YAML file whose other sections belong to other processes, with overrides from the
/// environment: `SPROUT_SERVER__LISTEN=[::]:7600` sets `listen` of section `server`, and each further `__` goes one
/// level down. Values are YAML, except that texts are taken as they are.
///
/// `known` names all sections the file may have; others are errors. A section that is absent or has no value counts
/// as an empty one.
pub fn section<T: DeserializeOwned>(
    path: &Path,
    name: &'static str,
    known: &'static [&'static str],
) -> Result<T, ConfigError> {
    let overrides = Overrides::from_environment(name, known)?;
    section_of_text(path, &read(path)?, name, known, &overrides)
}

fn section_of_text<'de, T: DeserializeOwned>(
    path: &Path,
    text: &'de str,
    name: &'static str,
    known: &'static [&'static str],
    overrides: &'de Overrides,
) -> Result<T, ConfigError> {
    let blame = Blame::default();
    let section = Section { overrides: Overlaid { tree: overrides.tree(), blame: &blame }, marker: PhantomData };
    let explain = |e: &YamlError, otherwise: &dyn Fn(&YamlError) -> ConfigError| match blame.variable() {
        Some(variable) => ConfigError::from_environment(variable, e),
        None => otherwise(e),
    };
    with_deserializer_from_str_with_options(text, options(), |yaml| {
        OrNothing(Sections { name, known, section }).deserialize(yaml)
    })
    .map_err(|e| explain(&e, &|e| ConfigError::from_yaml(path, e)))?
    .flatten()
    .map_or_else(|| T::deserialize(section.overrides.alone::<YamlError>()), Ok)
    .map_err(|e| explain(&e, &|e| ConfigError::from_absent(path, name, e)))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: path.into() },
        _ => ConfigError::Unreadable { path: path.into(), source },
    })
}

/// The limits of the parser are its defaults (depth 64, 250,000 nodes, 64 MiB of text): far above any configuration.
/// Snippets stay off: they would print neighbouring lines, and secrets in them.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true }
}

/// Finds one section in the top-level mapping, and refuses sections that nobody knows.
struct Sections<'a, 'de, T> {
    name: &'static str,
    known: &'static [&'static str],
    section: Section<'a, 'de, T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Sections<'_, 'de, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Sections<'_, 'de, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a mapping of sections ({})", self.known.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key_seed(KnownSection(self.known))? {
            if key == self.name {
                found = map.next_value_seed(OrNothing(self.section))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The name of a section; refused here, where the parser still knows the place, when it is not a known one.
struct KnownSection(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KnownSection {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        if self.0.contains(&key.as_str()) { Ok(key) } else { Err(D::Error::unknown_field(&key, self.0)) }
    }
}

/// The wanted section, under its overrides.
struct Section<'a, 'de, T> {
    overrides: Overlaid<'a, 'de>,
    marker: PhantomData<T>,
}

impl<T> Clone for Section<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Section<'_, '_, T> {}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Section<'_, 'de, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(self.overrides.over(deserializer))
    }
}

/// What its seed reads, or nothing where the file says nothing (all of it commented out, for example).
struct OrNothing<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for OrNothing<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for OrNothing<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or nothing")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests;
