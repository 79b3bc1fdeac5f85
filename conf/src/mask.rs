//! A tree to be shown, with what nobody may see covered.

use zeroize::Zeroizing;

use crate::{
    node::{Node, Value},
    place::Origin,
    scalar::Dialect,
};

/// What stands in place of a secret.
pub const MASK: &str = "[secret]";
/// Parts of keys whose values are secrets.
const SECRET: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "private", "api_key", "apikey"];
/// Keys in a mapping of credentials that are none.
const NAMES: &[&str] = &["username", "principal", "user", "domain", "tenant", "project", "inherit"];

impl Node {
    /// The same with secrets covered: what is under keys that say so, passwords in URLs, private keys, and all that comes from encrypted
    /// files. `all`: everything but names, for files that hold nothing but credentials.
    pub fn masked(&self, all: bool) -> Self {
        self.cover("", all)
    }

    fn cover(&self, key: &str, all: bool) -> Self {
        let lower = key.to_lowercase();
        let value = match &self.value {
            Value::List(items) => Value::List(items.iter().map(|item| item.cover(key, all)).collect()),
            Value::Map(entries) => {
                // A mapping of credentials holds them, a text names them.
                let all = all || lower == "credentials" || SECRET.iter().any(|part| lower.contains(part));
                Value::Map(entries.iter().map(|(key, value)| (key.clone(), value.cover(&key.text, all))).collect())
            }
            Value::Scalar { .. } | Value::Variable(_) if self.is_null() => self.value.clone(),
            Value::Scalar { text, .. } | Value::Variable(text) => {
                let encrypted = matches!(self.place.origin, Origin::Encrypted(_));
                let says_so = SECRET.iter().any(|part| lower.contains(part)) && !lower.ends_with("_file");
                if encrypted || says_so || (all && !NAMES.contains(&lower.as_str())) || text.contains("PRIVATE KEY---")
                {
                    quoted(MASK)
                } else if let Some(url) = without_password(text) {
                    quoted(&url)
                } else {
                    self.value.clone()
                }
            }
        };
        Self { id: 0, place: self.place.clone(), value }
    }
}

fn quoted(text: &str) -> Value {
    Value::Scalar { text: Zeroizing::new(text.to_owned()), plain: false, dialect: Dialect::Strict }
}

/// A URL with a password, without it.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may hold a slash that nobody escaped; the last @ before a space is the one.
    let at = rest.rfind('@').filter(|at| *at < end || !rest[..*at].contains(char::is_whitespace))?;
    let (user, _) = rest[..at].split_once(':')?;
    Some(format!("{scheme}://{user}:{MASK}{}", &rest[at..]))
}
