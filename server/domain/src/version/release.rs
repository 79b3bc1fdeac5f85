//! Names that releases have instead of numbers.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

/// What release names stand for: a number, or what is newer than all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseNames(BTreeMap<String, Option<Arc<str>>>);

/// How a name says that it is newer than everything.
const NEWEST: &str = "newest";

/// The names known where nothing is configured.
const SHIPPED: [(&str, &str); 7] = [
    ("euwe", "5.7"),
    ("fine", "5.8"),
    ("gaprindashvili", "5.9"),
    ("hammer", "5.10"),
    ("ivanchuk", "5.11"),
    ("jansa", "5.12"),
    ("master", NEWEST),
];

impl Default for ReleaseNames {
    fn default() -> Self {
        Self::new(SHIPPED)
    }
}

impl ReleaseNames {
    /// Names with the numbers that they stand for, or `newest`.
    pub fn new<N: Into<String>, V: AsRef<str>>(names: impl IntoIterator<Item = (N, V)>) -> Self {
        let meaning = |number: &str| (number != NEWEST).then(|| Arc::from(number));
        Self(names.into_iter().map(|(name, number)| (name.into(), meaning(number.as_ref()))).collect())
    }

    /// What a name stands for: none if it is no name; inside, none if it is newer than all others.
    #[expect(clippy::option_option, reason = "whether it is a name, and whether that stands for a number")]
    pub(super) fn get(&self, text: &str) -> Option<Option<Arc<str>>> {
        // Most versions are numbers, and need no look.
        if text.starts_with(|c: char| c.is_ascii_digit()) { None } else { self.0.get(text).cloned() }
    }
}

/// Those of the process: wherever two versions are compared, the order must be the same.
static NAMES: LazyLock<RwLock<Arc<ReleaseNames>>> = LazyLock::new(RwLock::default);

/// Makes these the names that versions are compared by, everywhere in this process.
pub fn set_release_names(names: ReleaseNames) {
    *NAMES.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
}

pub(super) fn names() -> Arc<ReleaseNames> {
    NAMES.read().unwrap_or_else(PoisonError::into_inner).clone()
}
