//! What a browser keeps of a session: the token, sealed so that only gateways can read it, in a cookie that no script can.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use sha2::{Digest as _, Sha256};
use sprout_conf::Secret;
use zeroize::Zeroizing;

/// Says what is sealed, and how; another one would be another kind.
const KIND: &[u8] = b"sprout session 1";
const NONCE: usize = 24;
/// The name where the browser speaks TLS: it lets no other host, and nothing without TLS, set a cookie of this name.
const SECURE_NAME: &str = "__Host-sprout";
/// The name elsewhere.
const PLAIN_NAME: &str = "sprout";

/// A signed-in browser, as the cookie has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The token of its user.
    pub(crate) token: Secret,
    /// When the token stops working, in seconds since 1970.
    pub(crate) expires_at: u64,
    /// When the session ends unless it is used before, in seconds since 1970.
    pub(crate) idle_until: u64,
}

/// Seals and opens sessions.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    /// With a key of any length that nobody can guess.
    pub(crate) fn new(key: &Secret) -> Self {
        let mut hash = Sha256::new_with_prefix(KIND);
        hash.update(key.expose());
        let derived: Zeroizing<[u8; 32]> = Zeroizing::new(hash.finalize().into());
        Self(XChaCha20Poly1305::new(derived.as_slice().into()))
    }

    /// The session as text for a cookie; none if it cannot be sealed, which does not happen to what is so short.
    pub(crate) fn seal(&self, session: &Session) -> Option<String> {
        let mut plain = Zeroizing::new(Vec::new());
        plain.extend(session.expires_at.to_be_bytes());
        plain.extend(session.idle_until.to_be_bytes());
        plain.extend(session.token.expose().as_bytes());
        let mut bytes = rand::random::<[u8; NONCE]>().to_vec();
        let sealed = self.0.encrypt(XNonce::from_slice(&bytes), Payload { msg: &plain, aad: KIND }).ok()?;
        bytes.extend(sealed);
        Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The session that was sealed, if it was, with this key, and nobody changed it.
    pub(crate) fn open(&self, text: &str) -> Option<Session> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let payload = Payload { msg: sealed, aad: KIND };
        let plain = Zeroizing::new(self.0.decrypt(XNonce::from_slice(nonce), payload).ok()?);
        let (expires_at, rest) = plain.split_first_chunk()?;
        let (idle_until, token) = rest.split_first_chunk()?;
        Some(Session {
            expires_at: u64::from_be_bytes(*expires_at),
            idle_until: u64::from_be_bytes(*idle_until),
            token: Secret::from(std::str::from_utf8(token).ok()?.to_owned()),
        })
    }
}

/// All that the browser sent as a session. There may be several: one is left from a time without TLS, or somebody on the way made it up.
pub(crate) fn sent(headers: &HeaderMap, encrypted: bool) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
    let named = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    named.filter(move |(name, _)| *name == name_for(encrypted)).map(|(_, value)| value)
}

/// Has the browser keep this for so long; nothing, for no time: forget it.
pub(crate) fn set(value: &str, age: Duration, encrypted: bool) -> Option<HeaderValue> {
    let (name, secure) = (name_for(encrypted), if encrypted { "; Secure" } else { "" });
    let age = age.as_secs();
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn name_for(encrypted: bool) -> &'static str {
    if encrypted { SECURE_NAME } else { PLAIN_NAME }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(key: &str) -> Sealer {
        Sealer::new(&Secret::from(key.repeat(32)))
    }

    fn session() -> Session {
        Session { token: Secret::from("spr_x".to_owned()), expires_at: 7, idle_until: 5 }
    }

    #[test]
    fn what_is_sealed_comes_back_and_nothing_else_does() {
        let sealer = sealer("k");
        let text = sealer.seal(&session()).unwrap();
        assert_eq!(sealer.open(&text), Some(session()));
        assert_ne!(sealer.seal(&session()).unwrap(), text, "each with its own nonce");
        assert_eq!(self::sealer("l").open(&text), None);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character has bits that stand for nothing.
            assert!(sealer.open(&changed).is_none(), "{at}");
        }
        for nonsense in ["", "A", &text[..text.len() - 4], &text[..NONCE], "ü", &"A".repeat(4000)] {
            assert_eq!(sealer.open(nonsense), None);
        }
    }

    #[test]
    fn cookies_are_for_no_script_and_no_other_site() {
        let set = set("abc", Duration::from_secs(60), true).unwrap();
        assert_eq!(set, "__Host-sprout=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
        let plain = self::set("", Duration::ZERO, false).unwrap();
        assert_eq!(plain, "sprout=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; sprout=1; __Host-sprout=2".parse().unwrap());
        headers.append(COOKIE, "sprout=3;sprouts=4; sprout".parse().unwrap());
        assert_eq!(sent(&headers, false).collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(sent(&headers, true).collect::<Vec<_>>(), ["2"]);
    }
}
