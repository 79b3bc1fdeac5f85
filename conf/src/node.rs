//! A tree of what files say, each value with its place: what is laid over each other, looked at, and then read.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{
    Place,
    scalar::{Dialect, Meaning, is_null},
};

/// A value.
#[derive(Clone)]
pub struct Node {
    /// Tells it apart while it is read; see [`Node::number`].
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A key of a mapping.
#[derive(Clone)]
pub struct Key {
    pub(crate) id: u32,
    /// Where it is written.
    pub place: Place,
    /// Its text.
    pub text: String,
}

/// What a value is. Texts are wiped from memory when they are dropped.
#[derive(Clone)]
pub(crate) enum Value {
    Scalar {
        text: Zeroizing<String>,
        plain: bool,
        dialect: Dialect,
    },
    /// The value of a variable: its text where a text is wanted (a password may contain ` #`), YAML for all else.
    Variable(Zeroizing<String>),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Node {
    pub(crate) fn new(place: Place, value: Value) -> Self {
        Self { id: 0, place, value }
    }

    /// A mapping without anything in it.
    pub(crate) fn empty(place: Place) -> Self {
        Self::new(place, Value::Map(Vec::new()))
    }

    /// Where it is written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(found, _)| found.text == key).map(|(_, value)| value)
    }

    /// Keys and values in their order; none if this is no mapping.
    pub fn entries(&self) -> &[(Key, Self)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The value at a path such as `groups.demo.probes[0].http`, or the last one on the way that is there.
    pub fn nearest(&self, path: &str) -> &Self {
        let rest = path.trim_start_matches('.');
        if let Some((index, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let item = index.parse().ok().and_then(|index: usize| self.items().get(index));
            return item.map_or(self, |item| item.nearest(rest));
        }
        // A key may have a dot in it.
        let next = self.entries().iter().find_map(|(key, value)| {
            let rest = rest.strip_prefix(key.text.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((value, rest))
        });
        next.map_or(self, |(value, rest)| value.nearest(rest))
    }

    /// Whether this is a mapping.
    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// The entries of a list; none if this is no list.
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// Whether this is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// Whether there is a key and no value.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain, .. } => *plain && is_null(text),
            Value::Variable(text) => is_null(text),
            Value::List(_) | Value::Map(_) => false,
        }
    }

    /// The text, as it was written, of what is neither a list nor a mapping, nor nothing.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } | Value::Variable(text) if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for a message.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } | Value::Variable(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Two mappings out of one: with these keys, and with the others.
    pub fn split(&self, keys: &[&str]) -> (Self, Self) {
        let (these, others) =
            self.entries().iter().cloned().partition(|(key, _): &(Key, Self)| keys.contains(&key.text.as_str()));
        let with = |entries| Self { id: 0, place: self.place.clone(), value: Value::Map(entries) };
        (with(these), with(others))
    }

    /// How many values there are in it, itself included.
    pub(crate) fn count(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } | Value::Variable(_) => 1,
            Value::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
        }
    }

    /// Gives every key and value an id of its own.
    pub(crate) fn number(&mut self, next: &mut u32) {
        *next += 1;
        self.id = *next;
        match &mut self.value {
            Value::Scalar { .. } | Value::Variable(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.number(next)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    *next += 1;
                    key.id = *next;
                    value.number(next);
                }
            }
        }
    }

    /// Takes out the entry with this id. Returns which mapping or list it was in, and the key there.
    pub(crate) fn prune(&mut self, id: u32) -> Option<(u32, Option<String>)> {
        match &mut self.value {
            Value::Scalar { .. } | Value::Variable(_) => None,
            Value::List(items) => {
                if let Some(index) = items.iter().position(|item| item.id == id) {
                    items.remove(index);
                    return Some((self.id, None));
                }
                items.iter_mut().find_map(|item| item.prune(id))
            }
            Value::Map(entries) => {
                if let Some(index) = entries.iter().position(|(key, value)| key.id == id || value.id == id) {
                    let (key, _) = entries.remove(index);
                    return Some((self.id, Some(key.text)));
                }
                entries.iter_mut().find_map(|(_, value)| value.prune(id))
            }
        }
    }
}

/// Shows what it is and where, never what it says.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Scalar { .. } | Value::Variable(_) => f.write_str("[value]"),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(entries) => {
                f.debug_map().entries(entries.iter().map(|(key, value)| (&key.text, value))).finish()
            }
        }
    }
}

/// As it means to a program that reads it.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Variable(text) | Value::Scalar { text, plain: false, .. } => serializer.serialize_str(text),
            Value::Scalar { text, plain: true, dialect } => match dialect.meaning(text) {
                Meaning::Null => serializer.serialize_unit(),
                Meaning::Bool(value) => serializer.serialize_bool(value),
                Meaning::Int(number) => match (u64::try_from(number), i64::try_from(number)) {
                    (Ok(number), _) => serializer.serialize_u64(number),
                    (_, Ok(number)) => serializer.serialize_i64(number),
                    _ => serializer.serialize_str(text),
                },
                Meaning::Float(number) => serializer.serialize_f64(number),
                Meaning::Text(text) => serializer.serialize_str(text),
            },
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (&key.text, value))),
        }
    }
}
