//! A deserializer that lays overrides over another one: where both name a key, the override wins; the rest comes from
//! below, with the places the parser knows.

use std::{cell::RefCell, collections::BTreeMap, fmt, marker::PhantomData};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::StringDeserializer,
};
use serde::forward_to_deserialize_any;
use serde_saphyr::with_deserializer_from_str_with_options;

use crate::{env::Override, error::describe};

type Tree = BTreeMap<String, Override>;

/// Remembers which variable a failed value came from.
#[derive(Default)]
pub(crate) struct Blame(RefCell<Option<String>>);

impl Blame {
    pub(crate) fn variable(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Passes a result on; the innermost failure decides who is to blame.
    fn on<T, E>(&self, cause: &Override, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.0.borrow_mut().get_or_insert_with(|| cause.variable().to_owned());
        }
        result
    }
}

/// The overrides of one mapping.
#[derive(Clone, Copy)]
pub(crate) struct Overlaid<'a, 'de> {
    pub(crate) tree: &'de Tree,
    pub(crate) blame: &'a Blame,
}

impl<'a, 'de> Overlaid<'a, 'de> {
    /// These overrides over what `below` has.
    pub(crate) fn over<X>(self, below: X) -> Overlay<'a, 'de, X> {
        Overlay { overrides: self, below }
    }

    /// These overrides over an empty mapping.
    pub(crate) fn alone<E: Error>(self) -> Overlay<'a, 'de, Nothing<E>> {
        self.over(Nothing(PhantomData))
    }

    /// Only a mapping has keys to override.
    fn refuse<E: Error>(self) -> Result<(), E> {
        let Some(first) = self.tree.values().next() else { return Ok(()) };
        self.blame.on(first, Err(E::custom("it sets a key inside something that is not a mapping")))
    }
}

/// Overrides over a deserializer, a visitor or a seed: the faces serde needs to get down to a mapping.
pub(crate) struct Overlay<'a, 'de, X> {
    overrides: Overlaid<'a, 'de>,
    below: X,
}

macro_rules! pass_on {
    ($($method:ident ( $($arg:ident : $type:ty),* ))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.below.$method($($arg,)* self.overrides.over(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Overlay<'_, 'de, D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit() deserialize_seq()
        deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize) deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}

macro_rules! visit {
    ($($method:ident ( $type:ty ))*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.overrides.refuse()?;
            self.below.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Overlay<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.expecting(f)
    }

    visit! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128) visit_f64(f64)
        visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    /// An absent mapping under overrides is an empty one.
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        match self.overrides.tree.values().next() {
            None => self.below.visit_none(),
            Some(first) => {
                let blame = self.overrides.blame;
                blame.on(first, self.below.visit_some(self.overrides.alone::<E>()))
            }
        }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.overrides.refuse()?;
        self.below.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, below: D) -> Result<V::Value, D::Error> {
        self.below.visit_some(self.overrides.over(below))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, below: D) -> Result<V::Value, D::Error> {
        self.below.visit_newtype_struct(self.overrides.over(below))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.overrides.refuse()?;
        self.below.visit_seq(below)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.overrides.refuse()?;
        self.below.visit_enum(below)
    }

    fn visit_map<A: MapAccess<'de>>(self, below: A) -> Result<V::Value, A::Error> {
        self.below.visit_map(MergedMap {
            below: Some(below),
            blame: self.overrides.blame,
            rest: self.overrides.tree.iter().collect(),
            next: None,
        })
    }
}

/// The keys of a mapping in their order, then those that only the overrides have.
struct MergedMap<'a, 'de, A> {
    below: Option<A>,
    blame: &'a Blame,
    /// Overrides whose keys have not been met yet.
    rest: BTreeMap<&'de String, &'de Override>,
    /// The override of the key that was read last, if it has one.
    next: Option<&'de Override>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for MergedMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.next = None;
        let mut seed = Some(seed);
        if let Some(below) = &mut self.below {
            let (rest, next) = (&mut self.rest, &mut self.next);
            let found = |key: &str| *next = rest.remove_entry(&key.to_owned()).map(|(_, value)| value);
            if let Some(key) = below.next_key_seed(NotedKey { seed: &mut seed, found })? {
                return Ok(Some(key));
            }
        }
        // The mapping below has ended; its access stays, for mappings that are asked again after their end.
        let (Some((key, value)), Some(seed)) = (self.rest.pop_first(), seed) else { return Ok(None) };
        self.next = Some(value);
        self.below = None;
        let key: StringDeserializer<A::Error> = key.clone().into_deserializer();
        self.blame.on(value, seed.deserialize(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let blame = self.blame;
        match (self.next.take(), &mut self.below) {
            (None, Some(below)) => below.next_value_seed(seed),
            (None, None) => Err(A::Error::custom("a value was asked for without a key")),
            (Some(value @ Override::Value { .. }), below) => {
                if let Some(below) = below {
                    below.next_value::<IgnoredAny>()?;
                }
                blame.on(value, seed.deserialize(Variable::new(value)))
            }
            (Some(Override::Inner(tree)), Some(below)) => below.next_value_seed(Overlaid { tree, blame }.over(seed)),
            (Some(value @ Override::Inner(tree)), None) => {
                blame.on(value, seed.deserialize(Overlaid { tree, blame }.alone()))
            }
        }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Overlay<'_, 'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, below: D) -> Result<S::Value, D::Error> {
        self.below.deserialize(self.overrides.over(below))
    }
}

/// Tells `found` which key is read, while the parser still knows its place, and then reads it as it should be.
struct NotedKey<'s, K, F> {
    seed: &'s mut Option<K>,
    found: F,
}

impl<'de, K: DeserializeSeed<'de>, F: FnOnce(&str)> DeserializeSeed<'de> for NotedKey<'_, K, F> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        let key: String = serde::Deserialize::deserialize(deserializer)?;
        (self.found)(&key);
        let seed = self.seed.take().ok_or_else(|| D::Error::custom("a key was asked for twice"))?;
        let key: StringDeserializer<D::Error> = key.into_deserializer();
        seed.deserialize(key)
    }
}

/// An empty mapping.
pub(crate) struct Nothing<E>(PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for Nothing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_map(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, E: Error> MapAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, E> {
        Err(E::custom("a value was asked for without a key"))
    }
}

/// The value of a variable: its text where a text is wanted (a password may contain ` #`), YAML for all else.
struct Variable<'de, E> {
    value: &'de str,
    marker: PhantomData<E>,
}

impl<'de, E> Variable<'de, E> {
    fn new(value: &'de Override) -> Self {
        let value = if let Override::Value { value, .. } = value { value } else { "" };
        Self { value, marker: PhantomData }
    }
}

macro_rules! as_yaml {
    ($($method:ident ( $($arg:ident : $type:ty),* ))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, E> {
            with_deserializer_from_str_with_options(self.value, crate::options(), |yaml| yaml.$method($($arg,)* visitor))
                .map_err(|e| E::custom(describe(&e)))
        }
    )*};
}

macro_rules! as_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.visit_borrowed_str(self.value)
        }
    )*};
}

impl<'de, E: Error> Deserializer<'de> for Variable<'de, E> {
    type Error = E;

    as_yaml! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(len: usize) deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    as_text! { deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        if matches!(self.value, "" | "null" | "~") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }
}
