//! Which database holds everything.

use std::{num::NonZeroU32, path::Path};

use serde::Deserialize;
use sprout_conf::Secret;

/// The database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`; default: `sqlite:sprout.db` in the data directory.
    pub url: Option<Secret>,
    /// Connections kept at most; default 16.
    pub max_connections: Option<NonZeroU32>,
}

impl DatabaseConfig {
    /// The connection URL. Only after [`Self::resolve`].
    pub fn url(&self) -> Secret {
        self.url.clone().unwrap_or_default()
    }

    /// Connections kept at most.
    pub fn max_connections(&self) -> u32 {
        self.max_connections.map_or(16, NonZeroU32::get)
    }

    /// Whether this is an embedded database that no other machine can be using.
    pub fn is_embedded(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.expose().starts_with("sqlite:"))
    }

    /// Makes the path of a SQLite file absolute or relative to the working directory, and fills the default.
    pub(crate) fn resolve(&mut self, base: &Path, data_dir: &Path) {
        self.url = Some(match self.url.take() {
            None => file_url(&data_dir.join("sprout.db")),
            Some(url) => match url.expose().strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest))
            {
                Some(path) if !path.is_empty() => file_url(&base.join(path)),
                _ => url,
            },
        });
    }

    /// What is wrong with the URL; never tells the URL, which may hold a password.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let url = self.url.as_ref().map_or("", |url| url.expose());
        match url.split_once(':') {
            Some(("sqlite", path)) if path.is_empty() || path == "//" => Some("no file is named; write sqlite:PATH"),
            Some(("sqlite", path)) if path.contains('?') => Some("options cannot be given; write sqlite:PATH alone"),
            Some(("sqlite", _)) => None,
            Some(("postgres" | "postgresql", rest)) if rest.len() > 2 && rest.starts_with("//") => None,
            _ => Some("not a database that is known; write sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME"),
        }
    }
}

fn file_url(path: &Path) -> Secret {
    Secret::from(format!("sqlite:{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> DatabaseConfig {
        let mut database = DatabaseConfig { url: Some(Secret::from(url.to_owned())), max_connections: None };
        database.resolve(Path::new("/etc/sprout"), Path::new("/data"));
        database
    }

    #[test]
    fn files_are_found_from_the_configuration() {
        assert_eq!(database("sqlite:a.db").url().expose(), "sqlite:/etc/sprout/a.db");
        assert_eq!(database("sqlite:///x/a.db").url().expose(), "sqlite:/x/a.db");
        let mut none = DatabaseConfig::default();
        none.resolve(Path::new("/etc"), Path::new("/data"));
        assert_eq!((none.url().expose(), none.is_embedded(), none.mistake()), ("sqlite:/data/sprout.db", true, None));
        let postgres = database("postgres://u:p@h/n");
        assert_eq!(
            (postgres.url().expose(), postgres.is_embedded(), postgres.mistake()),
            ("postgres://u:p@h/n", false, None)
        );
    }

    #[test]
    fn others_are_refused_without_telling_them() {
        for wrong in
            ["", "sprout.db", "sqlite:", "sqlite://", "mysql://u:hunter2@h/n", "postgres:", "sqlite:a.db?mode=ro"]
        {
            assert!(database(wrong).mistake().is_some_and(|message| !message.contains("hunter2")), "{wrong}");
        }
    }
}
