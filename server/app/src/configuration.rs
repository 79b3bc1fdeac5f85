//! What this server is configured by, and what became of the last try to read it again. Each server has its own: files are read where they are.

use std::{sync::PoisonError, time::SystemTime};

use crate::App;

/// How configuration stands. Times are by this server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Counts those that were taken since the server started, from 1.
    pub generation: u64,
    /// When what the server runs with was read.
    pub loaded_at: SystemTime,
    /// The files it is from, in the order they were read.
    pub files: Vec<String>,
    /// What is right, and maybe not meant so.
    pub notes: Vec<String>,
    /// Keys that were changed since the server started, and take effect when it starts again.
    pub waiting: Vec<String>,
    /// The last try to read it again, if that failed.
    pub refused: Option<RefusedConfiguration>,
}

/// A configuration that was not taken; the one before it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedConfiguration {
    /// When it was read.
    pub refused_at: SystemTime,
    /// All that is wrong with it.
    pub mistakes: Vec<String>,
}

impl App {
    /// How configuration stands; none: there are no files, as in tests.
    pub fn configuration(&self) -> Option<Configuration> {
        self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a configuration was taken.
    pub fn note_configuration(&self, files: Vec<String>, notes: Vec<String>, waiting: Vec<String>) {
        let loaded_at = SystemTime::now();
        let mut configuration = self.configuration.write().unwrap_or_else(PoisonError::into_inner);
        let generation = configuration.as_ref().map_or(1, |before| before.generation + 1);
        *configuration = Some(Configuration { generation, loaded_at, files, notes, waiting, refused: None });
    }

    /// Notes that a configuration was not taken, and why.
    pub fn note_refused_configuration(&self, mistakes: Vec<String>) {
        let refused_at = SystemTime::now();
        if let Some(configuration) = &mut *self.configuration.write().unwrap_or_else(PoisonError::into_inner) {
            configuration.refused = Some(RefusedConfiguration { refused_at, mistakes });
        }
    }
}
