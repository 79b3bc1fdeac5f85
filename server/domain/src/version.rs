//! Versions of templates and their total order.
//!
//! Components are compared as numbers, missing ones count as zero; a suffix makes a version older than the same without:
//! `nightly < pre < alpha < beta < rc < (other text) < none`, numbers in suffixes compare as numbers (`rc2 < rc10`).
//! Ties are broken by the text, so that the order is total and equal means the same text.

use std::{cmp::Ordering, fmt};

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

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('-').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((numbers, suffix), (other_numbers, other_suffix)) = (self.parts(), other.parts());
        compare_numbers(numbers, other_numbers)
            .then_with(|| compare_suffixes(suffix, other_suffix))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
            (None, None) => return Ordering::Equal,
            (x, y) => compare_natural(x.unwrap_or("0"), y.unwrap_or("0")),
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
mod tests {
    use super::*;

    #[test]
    fn orders_as_people_expect() {
        let ascending = [
            "5.6",
            "5.8.0.1-alpha",
            "5.8.0.1-beta1-nightly",
            "5.8.0.1-beta1",
            "5.8.0.1",
            "5.9.0.4",
            "5.9.0.22",
            "5.9.9",
            "5.10",
            "5.10.0.1",
            "5.11.0.1-nightly",
            "5.11.0.1-pre",
            "5.11.0.1-pre2",
            "5.11.0.1-alpha1",
            "5.11.0.1-beta1",
            "5.11.0.1-beta2",
            "5.11.0.1-rc1",
            "5.11.0.1-rc2",
            "5.11.0.1-rc10",
            "5.11.0.1-rc10.2",
            "5.11.0.1",
            "5.11.0.2",
            "5.11.99",
        ];
        for pair in ascending.windows(2) {
            assert!(Version::new(pair[0]) < Version::new(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    proptest::proptest! {
        #[test]
        fn is_a_total_order(a in "[0-9a-c.-]{0,8}", b in "[0-9a-c.-]{0,8}", c in "[0-9a-c.-]{0,8}") {
            let (a, b, c) = (Version::new(a), Version::new(b), Version::new(c));
            assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                assert!(a <= c, "{a} <= {b} <= {c}");
            }
        }

        #[test]
        fn accepts_any_text(a in "\\PC{0,12}", b in "\\PC{0,12}") {
            let _ = Version::new(a).cmp(&Version::new(b));
        }
    }
}
