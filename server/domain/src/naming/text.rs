//! Texts with named parts of a pattern in braces: `downstream-5{minor}z`.

use std::collections::BTreeSet;

use regex::Captures;

/// A text to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    As(String),
    Part(String),
}

impl Text {
    /// Reads a text; the error says what is wrong with it, where a pattern has these parts.
    pub fn new(text: &str, parts: &BTreeSet<&str>) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a `{` that nothing closes; write {PART}")?;
            if !parts.contains(name) {
                let known: Vec<_> = parts.iter().copied().collect();
                let known =
                    if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
                return Err(format!("the pattern has no part `(?<{name}>…)`; {known}"));
            }
            pieces.extend([Piece::As(before.to_owned()), Piece::Part(name.to_owned())]);
            rest = after;
        }
        pieces.push(Piece::As(rest.to_owned()));
        pieces.retain(|piece| !matches!(piece, Piece::As(text) if text.is_empty()));
        Ok(Self(pieces))
    }

    /// The part itself.
    pub(super) fn part(name: &str) -> Self {
        Self(vec![Piece::Part(name.to_owned())])
    }

    /// The text for a name; parts that it leaves out are empty.
    pub(super) fn fill(&self, parts: &Captures<'_>) -> String {
        let said = |piece: &Piece| match piece {
            Piece::As(text) => text.clone(),
            Piece::Part(name) => parts.name(name).map_or_else(String::new, |part| part.as_str().to_owned()),
        };
        self.0.iter().map(said).collect()
    }

    /// Whether it can become this, whatever the parts are.
    pub(super) fn can_be(&self, wanted: &str) -> bool {
        let mut rest = wanted;
        let mut anything = false;
        for piece in &self.0 {
            match piece {
                Piece::Part(_) => anything = true,
                Piece::As(text) if anything => match rest.find(&**text) {
                    Some(at) => (rest, anything) = (&rest[at + text.len()..], false),
                    None => return false,
                },
                Piece::As(text) => match rest.strip_prefix(&**text) {
                    Some(after) => rest = after,
                    None => return false,
                },
            }
        }
        anything || rest.is_empty()
    }
}
