//! Our own format: `XChaCha20-Poly1305` under a key that Argon2id derives, so that a guessed key costs time and a changed byte is noticed.
//! 16 bytes of name, 16 of salt, 24 of nonce, then the ciphertext with its tag; all before the ciphertext is authenticated, too.

use argon2::Argon2;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use super::{CryptError, Key};

/// What a file of this format begins with.
const NAME: &[u8; 16] = b"sprout-sealed-1\n";
const SALT: usize = 16;
const NONCE: usize = 24;
const HEAD: usize = NAME.len() + SALT + NONCE;

pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(NAME)
}

pub(super) fn encrypt(text: &str, key: &Key) -> Result<Vec<u8>, CryptError> {
    let (salt, nonce) = (rand::random::<[u8; SALT]>(), rand::random::<[u8; NONCE]>());
    let mut bytes = [NAME.as_slice(), &salt, &nonce].concat();
    let payload = Payload { msg: text.as_bytes(), aad: &bytes };
    let sealed = cipher(key, &salt)?.encrypt(XNonce::from_slice(&nonce), payload);
    bytes.extend(sealed.map_err(|_| CryptError::Derivation(key.source().to_owned()))?);
    Ok(bytes)
}

pub(super) fn decrypt(bytes: &[u8], key: &Key) -> Result<Zeroizing<String>, CryptError> {
    let broken = || CryptError::Seal(key.source().to_owned());
    let (head, sealed) = bytes.split_at_checked(HEAD).ok_or_else(broken)?;
    let (salt, nonce) = head[NAME.len()..].split_at(SALT);
    let payload = Payload { msg: sealed, aad: head };
    let plain = cipher(key, salt)?.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| broken())?;
    let plain = Zeroizing::new(plain);
    let text = std::str::from_utf8(&plain).map_err(|_| broken())?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn cipher(key: &Key, salt: &[u8]) -> Result<XChaCha20Poly1305, CryptError> {
    let mut derived = Zeroizing::new([0_u8; 32]);
    Argon2::default()
        .hash_password_into(key.bytes(), salt, derived.as_mut_slice())
        .map_err(|_| CryptError::Derivation(key.source().to_owned()))?;
    Ok(XChaCha20Poly1305::new(derived.as_slice().into()))
}
