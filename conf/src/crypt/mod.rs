//! Encrypted files (`NAME.eyaml`).
//!
//! There are two formats, told apart by their beginnings. [`Format::Legacy`] is what the tools of existing teams write: see [`legacy`]; it
//! hides little (equal blocks look equal) and nothing notices a change. [`Format::Sealed`] is ours: see [`sealed`].

mod key;
mod legacy;
mod sealed;

use zeroize::Zeroizing;

pub(crate) use key::key_files;
pub use key::{Key, KeyError};

/// How a file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As `yaycl-crypt` reads and writes it.
    Legacy,
    /// Authenticated; only Sprout reads it.
    Sealed,
}

/// Why a file cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum CryptError {
    /// No ciphertext has such a length.
    #[error(
        "cannot be decrypted: {0} bytes are not a multiple of 16, so a part is missing, or the file is not encrypted at all"
    )]
    Length(usize),
    /// There is nothing in it.
    #[error("cannot be decrypted: the file is empty")]
    Empty,
    /// What comes out is no text.
    #[error(
        "cannot be decrypted with the key from {0}: it is not the key of this file, or the file was damaged; a line end \
         at the end of a key file is part of the key"
    )]
    NoText(String),
    /// The seal is broken.
    #[error("cannot be decrypted with the key from {0}: it is not the key of this file, or the file was changed")]
    Seal(String),
    /// Key derivation refused.
    #[error("no key can be derived from {0}")]
    Derivation(String),
}

/// Encrypts a text.
pub fn encrypt(text: &str, key: &Key, format: Format) -> Result<Vec<u8>, CryptError> {
    match format {
        Format::Legacy => Ok(legacy::encrypt(text, key)),
        Format::Sealed => sealed::encrypt(text, key),
    }
}

/// Decrypts a file of either format.
pub fn decrypt(bytes: &[u8], key: &Key) -> Result<Zeroizing<String>, CryptError> {
    if sealed::is_sealed(bytes) { sealed::decrypt(bytes, key) } else { legacy::decrypt(bytes, key) }
}

/// The format of an encrypted file.
pub fn format_of(bytes: &[u8]) -> Format {
    if sealed::is_sealed(bytes) { Format::Sealed } else { Format::Legacy }
}

#[cfg(test)]
mod tests;
