//! Where something was written: a line of a file, or a variable of the environment.

use std::{cell::RefCell, fmt, ops::Deref, path::Path, sync::Arc};

use serde::{Deserialize, Deserializer, de::Visitor};

/// What a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(Arc<Path>),
    /// A file that is encrypted; lines are those of what is in it.
    Encrypted(Arc<Path>),
    /// A variable of the environment.
    Variable(Arc<str>),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file or variable.
    pub origin: Origin,
    /// Line and column, both from 1; none: all of it is meant.
    pub at: Option<(u32, u32)>,
}

impl Place {
    /// All of it.
    pub(crate) fn whole(origin: &Origin) -> Self {
        Self { origin: origin.clone(), at: None }
    }

    /// A place in it.
    pub(crate) fn at(origin: &Origin, line: usize, column: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { origin: origin.clone(), at: Some((number(line), number(column))) }
    }

    /// All of a file.
    pub fn file(path: &Path) -> Self {
        Self { origin: Origin::File(path.into()), at: None }
    }

    /// The file; none: it is a variable.
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) | Origin::Encrypted(path) => Some(path),
            Origin::Variable(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) | Origin::Encrypted(path) => write!(f, "{}", path.display())?,
            Origin::Variable(name) => write!(f, "environment variable {name}")?,
        }
        self.at.map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

/// A value with its place, for whoever finds later that it is wrong. Defaults have none.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Option<Place>,
}

impl<T> Located<T> {
    /// A default, which is written nowhere.
    pub const fn nowhere(value: T) -> Self {
        Self { value, place: None }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Name that tells our reader that a place is wanted.
pub(crate) const LOCATED: &str = "$sprout_conf::Located";

thread_local! {
    /// From the reader to the visitor that it calls next. Serde has no way for this.
    static NEXT: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Hands the place of a value to the [`Located`] around it.
pub(crate) fn hand_over(place: &Place) {
    NEXT.with_borrow_mut(|next| *next = Some(place.clone()));
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocatedVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Located<T>, D::Error> {
                let place = NEXT.with_borrow_mut(Option::take);
                Ok(Located { value: T::deserialize(deserializer)?, place })
            }
        }

        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(std::marker::PhantomData))
    }
}
