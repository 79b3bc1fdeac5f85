//! Servers, as every process that calls some has them in its configuration.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

/// URLs of servers of one installation, at least one: written as one text or as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<String>);

impl Servers {
    /// The URLs, in order.
    pub fn into_urls(self) -> Vec<String> {
        self.0
    }
}

impl From<String> for Servers {
    fn from(server: String) -> Self {
        Self(vec![server])
    }
}

impl From<Vec<String>> for Servers {
    fn from(servers: Vec<String>) -> Self {
        Self(servers)
    }
}

impl<'de> Deserialize<'de> for Servers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ServersVisitor)
    }
}

struct ServersVisitor;

impl<'de> Visitor<'de> for ServersVisitor {
    type Value = Servers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the URL of a server, or a list of such URLs")
    }

    fn visit_str<E: de::Error>(self, server: &str) -> Result<Servers, E> {
        Ok(Servers(vec![server.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Servers, A::Error> {
        let mut servers = Vec::new();
        while let Some(server) = seq.next_element()? {
            servers.push(server);
        }
        if servers.is_empty() {
            return Err(de::Error::custom("the list is empty; expected the URL of a server, or a list of such URLs"));
        }
        Ok(Servers(servers))
    }
}
