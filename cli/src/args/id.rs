//! Ids as people type them.

/// Reads an id. What is no number is not one.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "an id is a number, as lists show it".to_owned())
}
