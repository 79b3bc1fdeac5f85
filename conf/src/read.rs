//! Reads structs from a tree, telling all that is wrong: a value that cannot be used is told, taken out, and the rest is read
//! again.

use std::{collections::BTreeSet, fmt};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, VariantAccess, Visitor,
        value::{StrDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::{
    Mistakes, Place,
    error::did_you_mean,
    node::{Key, Node, Value},
    parse::parse,
    place::{LOCATED, hand_over},
    scalar::{Dialect, Meaning, float},
};

/// So many mistakes are told of one file; who made more has mistaken the file.
const MAX_MISTAKES: usize = 100;

impl Node {
    /// Reads it into a struct. `path` is told with each mistake; `also` are keys that are known elsewhere, for messages about unknown ones.
    /// None if something is wrong; all that is, is in `mistakes`.
    pub fn read<T: DeserializeOwned>(&self, path: &str, also: &[&str], mistakes: &mut Mistakes) -> Option<T> {
        let mut tree = self.clone();
        tree.number(&mut 0);
        // What lacks a key only because that was taken out is not told again.
        let mut damaged: BTreeSet<(u32, Option<String>)> = BTreeSet::new();
        let mut is_right = true;
        loop {
            let error = match T::deserialize(Reader(&tree)) {
                Ok(value) => return is_right.then_some(value),
                Err(error) => error,
            };
            is_right = false;
            let (id, place) = error.at.clone().unwrap_or((tree.id, tree.place.clone()));
            let known = match &error.what {
                What::Missing(field) => damaged.contains(&(id, Some((*field).to_owned()))),
                What::Length => damaged.contains(&(id, None)),
                _ => false,
            };
            if !known {
                mistakes.add(Some(place), path, error.describe(also));
            }
            match tree.prune(id) {
                Some(from) if mistakes.len() < MAX_MISTAKES => damaged.insert(from),
                _ => return None,
            };
        }
    }
}

/// What serde says, with its place.
#[derive(Debug)]
pub(crate) struct ReadError {
    at: Option<(u32, Place)>,
    what: What,
}

#[derive(Debug)]
enum What {
    Unknown(String, &'static [&'static str]),
    Missing(&'static str),
    Length,
    Said(String),
}

impl ReadError {
    fn new(what: What) -> Self {
        Self { at: None, what }
    }

    /// The innermost place is the one to tell.
    fn within(mut self, id: u32, place: &Place) -> Self {
        self.at.get_or_insert_with(|| (id, place.clone()));
        self
    }

    fn describe(&self, also: &[&str]) -> String {
        match &self.what {
            What::Unknown(field, known) if known.is_empty() && also.is_empty() => {
                format!("unknown key `{field}`; none is expected here")
            }
            What::Unknown(field, known) => {
                let known = [known, also].concat();
                format!("unknown key `{field}`{}; known keys are: {}", did_you_mean(field, &known), known.join(", "))
            }
            What::Missing(field) => format!("key `{field}` is missing"),
            What::Length => "the list has not as many entries as are expected".to_owned(),
            What::Said(message) => message.clone(),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(&[]))
    }
}

impl std::error::Error for ReadError {}

/// The kind of an unexpected value, without the value of a text.
fn kind(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Said(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("found {}, expected {expected}", kind(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Self::new(What::Length)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!(
            "unknown value `{variant}`{}; use one of: {}",
            did_you_mean(variant, expected),
            expected.join(", ")
        ))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::Unknown(field.to_owned(), expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("key `{field}` is there twice, under another name of it; remove one of them"))
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'n>(&'n Node);

impl<'n> Reader<'n> {
    /// Attaches the place to what goes wrong in here.
    fn placed<T>(self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| error.within(self.0.id, &self.0.place))
    }

    fn fail<T>(self, message: impl fmt::Display) -> Result<T, ReadError> {
        self.placed(Err(de::Error::custom(message)))
    }

    /// The single value as it is written, and how to take it.
    fn scalar(self, expected: &str) -> Result<(&'n str, Dialect), ReadError> {
        match &self.0.value {
            _ if self.0.is_null() => self.fail(format!("no value, expected {expected}")),
            Value::Scalar { text, dialect, .. } => Ok((text, *dialect)),
            Value::Variable(text) => Ok((text, Dialect::Strict)),
            Value::List(_) | Value::Map(_) => self.fail(format!("expected {expected}")),
        }
    }

    /// A variable of which more is wanted than a text.
    fn variable<T>(self, read: impl FnOnce(Reader<'_>) -> Result<T, ReadError>) -> Option<Result<T, ReadError>> {
        let Value::Variable(text) = &self.0.value else { return None };
        let mut wrong = Mistakes::default();
        let node = parse(text, &self.0.place.origin, Dialect::Strict, &mut wrong);
        if let Some(mistake) = wrong.list().first() {
            return Some(self.fail(&mistake.message));
        }
        let node = node?;
        // All of it stands where the variable stands.
        let read = read(Reader(&node));
        Some(self.placed(read.map_err(|error| ReadError { at: None, ..error })))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let expected = concat!(stringify!($type));
            let (text, dialect) = self.scalar(expected)?;
            match dialect.int(text.trim()).and_then(|number| $type::try_from(number).ok()) {
                Some(number) => self.placed(visitor.$visit(number)),
                None => self.fail(format!("not a valid value, expected {expected}")),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let visited = match &self.0.value {
            Value::Scalar { text, plain: true, dialect } => match dialect.meaning(text) {
                Meaning::Null => visitor.visit_unit(),
                Meaning::Bool(value) => visitor.visit_bool(value),
                Meaning::Int(number) => match (u64::try_from(number), i64::try_from(number)) {
                    (Ok(number), _) => visitor.visit_u64(number),
                    (_, Ok(number)) => visitor.visit_i64(number),
                    _ => visitor.visit_i128(number),
                },
                Meaning::Float(number) => visitor.visit_f64(number),
                Meaning::Text(text) => visitor.visit_str(text),
            },
            Value::Scalar { text, plain: false, .. } => visitor.visit_str(text),
            Value::Variable(text) => {
                if matches!(Dialect::Strict.meaning(text), Meaning::Text(text) if !text.starts_with(['[', '{', '"', '\'']))
                {
                    visitor.visit_str(text)
                } else {
                    return self
                        .variable(|inner| inner.deserialize_any(visitor))
                        .unwrap_or_else(|| self.fail("not a value"));
                }
            }
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        self.placed(visited)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let (text, dialect) = self.scalar("true or false")?;
        match dialect.bool(text.trim()) {
            Some(value) => self.placed(visitor.visit_bool(value)),
            None => self.fail("not a valid value, expected true or false"),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 i8  deserialize_i16 visit_i16 i16  deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64  deserialize_i128 visit_i128 i128  deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16  deserialize_u32 visit_u32 u32  deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let (text, _) = self.scalar("a number")?;
        match float(text.trim()) {
            Some(number) => self.placed(visitor.visit_f64(number)),
            None => self.fail("not a valid value, expected a number"),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // A variable is taken as it is: an empty one is an empty text.
        if let Value::Variable(text) = &self.0.value {
            return self.placed(visitor.visit_str(text));
        }
        let (text, _) =
            self.scalar(if self.0.is_null() { "a text (write \"\" for an empty one)" } else { "a text" })?;
        self.placed(visitor.visit_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let visited = if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) };
        self.placed(visited)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == LOCATED {
            hand_over(&self.0.place);
        }
        self.placed(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.value {
            Value::List(items) => self.placed(visitor.visit_seq(Items(items.iter()))),
            // Everything in it may be commented out.
            _ if self.0.is_null() => self.placed(visitor.visit_seq(Items([].iter()))),
            Value::Variable(text) if text.trim_start().starts_with('[') => {
                self.variable(|inner| inner.deserialize_seq(visitor)).unwrap_or_else(|| self.fail("expected a list"))
            }
            _ => self.fail("expected a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.value {
            Value::Map(entries) => self.placed(visitor.visit_map(Entries { rest: entries.iter(), value: None })),
            // Everything in it may be commented out.
            _ if self.0.is_null() => self.placed(visitor.visit_map(Entries { rest: [].iter(), value: None })),
            Value::Variable(text) if text.trim_start().starts_with('{') => self
                .variable(|inner| inner.deserialize_map(visitor))
                .unwrap_or_else(|| self.fail("expected keys with values")),
            _ => self.fail("expected keys with values"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Value::Map(entries) = &self.0.value {
            let [(key, value)] = entries.as_slice() else { return self.fail("expected one key with its value") };
            return self.placed(visitor.visit_enum(Variant { key, value }));
        }
        let (text, _) = self.scalar("one of the known values")?;
        self.placed(visitor.visit_enum(StrDeserializer::<ReadError>::new(text)))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.0.is_null() { self.placed(visitor.visit_unit()) } else { self.fail("expected nothing") }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        self.0.next().map(|item| seed.deserialize(Reader(item))).transpose()
    }
}

struct Entries<'n> {
    rest: std::slice::Iter<'n, (Key, Node)>,
    value: Option<&'n Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(KeyReader(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value was asked for without a key"))?;
        // A field that is there twice, and errors of a whole value, have no place of their own.
        seed.deserialize(Reader(value)).map_err(|error: ReadError| error.within(value.id, &value.place))
    }
}

/// Reads a key; a number as one where that is wanted.
struct KeyReader<'n>(&'n Key);

impl KeyReader<'_> {
    fn text(&self) -> StringDeserializer<ReadError> {
        self.0.text.clone().into_deserializer()
    }
}

macro_rules! keys {
    ($($method:ident $visit:ident $type:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let read = match self.0.text.parse::<$type>() {
                Ok(key) => visitor.$visit(key),
                Err(_) => Err(de::Error::custom(concat!("not a valid key, expected ", stringify!($type)))),
            };
            read.map_err(|error: ReadError| error.within(self.0.id, &self.0.place))
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.text().deserialize_any(visitor).map_err(|error| error.within(self.0.id, &self.0.place))
    }

    keys! {
        deserialize_u8 visit_u8 u8  deserialize_u16 visit_u16 u16  deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64  deserialize_i32 visit_i32 i32  deserialize_i64 visit_i64 i64
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let read = self.text().deserialize_enum(name, variants, visitor);
        read.map_err(|error| error.within(self.0.id, &self.0.place))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == LOCATED {
            hand_over(&self.0.place);
        }
        let (id, place) = (self.0.id, self.0.place.clone());
        visitor.visit_newtype_struct(self).map_err(|error: ReadError| error.within(id, &place))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// `variant: its content`.
struct Variant<'n> {
    key: &'n Key,
    value: &'n Node,
}

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = ReadError;
    type Variant = Reader<'n>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Reader<'n>), ReadError> {
        Ok((seed.deserialize(KeyReader(self.key))?, Reader(self.value)))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        if self.0.is_null() { Ok(()) } else { self.fail("expected nothing") }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ReadError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }
}
