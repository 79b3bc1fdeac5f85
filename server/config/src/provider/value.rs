//! A mapping that is read before it is known what should be in it, with the place of each key: the type of a provider
//! may stand below its settings.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_saphyr::{Location, Spanned};

/// Keys and values in their order.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Entries(#[serde(deserialize_with = "entries")] Vec<(Spanned<String>, Value)>);

/// What is wrong, and where.
pub(super) type Wrong = (Option<Location>, String);

impl Entries {
    /// Those with these keys, and the others.
    pub(super) fn split(self, keys: &[&str]) -> (Self, Self) {
        let (these, others) = self.0.into_iter().partition(|(key, _)| keys.contains(&key.value.as_str()));
        (Self(these), Self(others))
    }

    /// Reads them into a struct; `also` are keys that are known elsewhere, for the message.
    pub(super) fn read<T: DeserializeOwned>(self, also: &[&str]) -> Result<T, Wrong> {
        let last = Cell::new(None);
        let entries = self.0.into_iter().inspect(|(key, _)| last.set(Some(key.referenced)));
        let entries = MapDeserializer::new(entries.map(|(key, value)| (key.value, value)));
        T::deserialize(entries).map_err(|error: Error| {
            let also = if error.lists_keys { also } else { &[] };
            (last.get(), also.iter().fold(error.message, |message, key| message + ", " + key))
        })
    }
}

fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Spanned<String>, Value)>, D::Error> {
    struct EntriesVisitor;

    impl<'de> Visitor<'de> for EntriesVisitor {
        type Value = Vec<(Spanned<String>, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }

        /// Everything in it may be commented out.
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_any(EntriesVisitor)
}

/// A value; what is inside lists and mappings is of no interest.
enum Value {
    Nothing,
    Bool(bool),
    Number(u64),
    Text(String),
    Nested,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        // A negative number is a text to us: nothing here takes one, and the message tells it.
        Ok(u64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Number))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }
}

impl IntoDeserializer<'_, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Nothing => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(value) => visitor.visit_u64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::Nested => Err(Error::invalid_type(de::Unexpected::Other("a list or a mapping"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self, Self::Nothing) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// A network called 5 is a name.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Self::Number(number) = self {
            visitor.visit_string(number.to_string())
        } else {
            self.deserialize_any(visitor)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

use de::Error as _;

/// What serde says, in our words.
#[derive(Debug)]
struct Error {
    message: String,
    /// It ends in a list of known keys.
    lists_keys: bool,
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), lists_keys: false }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { message: format!("unknown key `{field}`; known keys are: {}", expected.join(", ")), lists_keys: true }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("key `{field}` is there twice; remove one of them"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
