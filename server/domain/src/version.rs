//! Versions of templates and their total order.
//!
//! Components are compared as numbers, and where all are equal the version with more of them is newer; a suffix makes a version older than the same without:
//! `nightly < pre < alpha < beta < rc < (other text) < none`, numbers in suffixes compare as numbers (`rc2 < rc10`).
//! Release names stand for numbers (see [`ReleaseNames`]). Builds without a version have a made-up one, `...20200131`, which is newer than all
//! numbered ones and older than what is the newest by name.
//! Ties are broken by the text, so that the order is total and equal means the same text.

mod release;

use std::{cmp::Ordering, fmt, sync::Arc};

pub use self::release::{ReleaseNames, set_release_names};
use crate::template::BuildDate;

/// What made-up versions begin with.
const MADE_UP: &str = "...";

/// A version such as `5.11.0.1-rc2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// Takes any text; every text has a place in the order.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of a build that has none, of this day.
    pub fn made_up(date: BuildDate) -> Self {
        Self(format!("{MADE_UP}{}", date.format("%Y%m%d")))
    }

    /// It is one that a build without a version was given.
    pub fn is_made_up(&self) -> bool {
        self.0.starts_with(MADE_UP)
    }

    /// The z-stream it belongs to: its first three components if it has four or more, else its first two. Builds without a version are one stream.
    pub fn stream(&self) -> Stream {
        if self.is_made_up() {
            return Stream("nightly builds".to_owned());
        }
        let (release, _) = self.parts();
        let release = Release::new(release, &release::names());
        let Some(numbers) = release.numbers() else { return Stream("the newest".to_owned()) };
        let components: Vec<_> = numbers.split('.').collect();
        let shared = if components.len() > 3 { 3 } else { 2 };
        Stream(components[..shared.min(components.len())].join("."))
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('-').unwrap_or((&self.0, ""))
    }

    /// The order without the last word of the text: equal are those that mean the same.
    fn compare(&self, other: &Self, names: &ReleaseNames) -> Ordering {
        let ((numbers, suffix), (other_numbers, other_suffix)) = (self.parts(), other.parts());
        let release = |text| Release::new(text, names);
        release(numbers).compare(&release(other_numbers)).then_with(|| compare_suffixes(suffix, other_suffix))
    }
}

/// A z-stream: versions of which each replaces those before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream(String);

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 == other.0 {
            return Ordering::Equal;
        }
        self.compare(other, &release::names()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a version has before its suffix.
enum Release<'a> {
    /// Components, separated by dots.
    Numbered(&'a str),
    /// The same, that a name stands for.
    Named(Arc<str>),
    /// Newer than all others.
    Newest,
}

impl<'a> Release<'a> {
    fn new(text: &'a str, names: &ReleaseNames) -> Self {
        match names.get(text) {
            Some(Some(numbers)) => Self::Named(numbers),
            Some(None) => Self::Newest,
            // The dots of a made-up version are no components.
            None => Self::Numbered(text.strip_prefix(MADE_UP).unwrap_or(text)),
        }
    }

    fn numbers(&self) -> Option<&str> {
        match self {
            Self::Numbered(numbers) => Some(numbers),
            Self::Named(numbers) => Some(numbers),
            Self::Newest => None,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.numbers(), other.numbers()) {
            (Some(numbers), Some(others)) => compare_numbers(numbers, others),
            (numbers, others) => numbers.is_none().cmp(&others.is_none()),
        }
    }
}

/// Digits before text at each place; a number without leading zeros compares by length, then by digits, so that no number is too long.
fn compare_natural(a: &str, b: &str) -> Ordering {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let (na, nb) = (digits(a), digits(b));
    let (da, db) = (a[..na].trim_start_matches('0'), b[..nb].trim_start_matches('0'));
    da.len().cmp(&db.len()).then_with(|| da.cmp(db)).then_with(|| a[na..].cmp(&b[nb..]))
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (Some(x), Some(y)) => compare_natural(x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Older kinds first.
const KINDS: [&str; 5] = ["nightly", "pre", "alpha", "beta", "rc"];

fn compare_suffixes(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('-').filter(|s| !s.is_empty()), b.split('-').filter(|s| !s.is_empty()));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(x), Some(y)) => (x, y),
        };
        let rank = |s: &str| KINDS.iter().position(|kind| s.starts_with(kind)).unwrap_or(KINDS.len());
        let rest = |s: &str| KINDS.iter().find_map(|kind| s.strip_prefix(kind)).unwrap_or(s).to_owned();
        let order = rank(x).cmp(&rank(y)).then_with(|| compare_numbers(&rest(x), &rest(y)));
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests;
