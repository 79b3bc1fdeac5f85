//! All keys there are, from the structs themselves: what the samples must mention.

use serde::{
    Deserialize, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};

use crate::{
    ActionConfig, CatalogueConfig, ContainerConfig, DatabaseConfig, EndpointConfig, ExternalConfig, GroupConfig,
    HttpCallConfig, HttpConfig, LibvirtConfig, NameRuleConfig, PrepareConfig, ProbeConfig, ServerConfig, SshConfig,
    TlsConfig, UploadConfig, provider::Common,
};

/// Every key of the section `server` and of a provider's `sprout:`, at any depth.
pub fn known_keys() -> Vec<&'static str> {
    [
        keys_of::<ServerConfig>(),
        keys_of::<TlsConfig>(),
        keys_of::<DatabaseConfig>(),
        keys_of::<GroupConfig>(),
        keys_of::<NameRuleConfig>(),
        keys_of::<CatalogueConfig>(),
        keys_of::<EndpointConfig>(),
        keys_of::<ProbeConfig>(),
        keys_of::<HttpConfig>(),
        keys_of::<SshConfig>(),
        keys_of::<PrepareConfig>(),
        keys_of::<ActionConfig>(),
        keys_of::<UploadConfig>(),
        keys_of::<HttpCallConfig>(),
        keys_of::<Common>(),
        keys_of::<ContainerConfig>(),
        keys_of::<LibvirtConfig>(),
        keys_of::<ExternalConfig>(),
    ]
    .concat()
    .into_iter()
    // Known only to be refused.
    .filter(|key| *key != "warm")
    .collect()
}

fn keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // It fails, always: it is only asked for its keys.
    let _ = T::deserialize(Asked(&mut keys));
    keys
}

/// Notes which keys a struct asks for.
struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_struct_tells() {
        let keys = super::known_keys();
        for key in
            ["listen", "cert", "url", "template_pattern", "port", "probes", "statuses", "disabled", "socket", "uri"]
        {
            assert!(keys.contains(&key), "{key}");
        }
    }
}
