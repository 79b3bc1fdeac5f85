//! The format of `yaycl-crypt`: AES-256 in ECB mode under the SHA-256 of the key, padded with 1 to 16 spaces, and nothing else. Nothing
//! authenticates it: what comes out with a wrong key is noise, and no text.

use aes::{
    Aes256,
    cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _, generic_array::GenericArray},
};
use granit_parser::{Event, Parser, ScalarStyle};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{CryptError, Key};

const BLOCK: usize = 16;
/// Ends a block scalar, which would take the padding for text. Nobody sees it: a comment.
const GUARD: &str = "#";

pub(super) fn encrypt(text: &str, key: &Key) -> Vec<u8> {
    let cipher = cipher(key);
    let guard = match (is_block_scalar_last(text), text.ends_with('\n')) {
        (false, _) => "",
        (true, true) => GUARD,
        (true, false) => "\n#",
    };
    let length = text.len() + guard.len();
    let padded_length = length + BLOCK - length % BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_length));
    padded.extend_from_slice(text.as_bytes());
    padded.extend_from_slice(guard.as_bytes());
    padded.resize(padded_length, b' ');
    let mut bytes = Vec::with_capacity(padded.len());
    for block in padded.chunks_exact(BLOCK) {
        let mut block = *GenericArray::from_slice(block);
        cipher.encrypt_block(&mut block);
        bytes.extend_from_slice(&block);
    }
    bytes
}

pub(super) fn decrypt(bytes: &[u8], key: &Key) -> Result<Zeroizing<String>, CryptError> {
    if bytes.is_empty() {
        return Err(CryptError::Empty);
    }
    if !bytes.len().is_multiple_of(BLOCK) {
        return Err(CryptError::Length(bytes.len()));
    }
    let cipher = cipher(key);
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for block in bytes.chunks_exact(BLOCK) {
        let mut block = *GenericArray::from_slice(block);
        cipher.decrypt_block(&mut block);
        plain.extend_from_slice(&block);
        zeroize::Zeroize::zeroize(block.as_mut_slice());
    }
    let noise = || CryptError::NoText(key.source().to_owned());
    let text = std::str::from_utf8(&plain).map_err(|_| noise())?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}')) {
        return Err(noise());
    }
    // The padding is always there; further spaces at the end never mean anything.
    let text = text.trim_end_matches(' ');
    let text =
        text.strip_suffix(GUARD).filter(|text| text.ends_with('\n') && is_block_scalar_last(text)).unwrap_or(text);
    Ok(Zeroizing::new(text.to_owned()))
}

fn cipher(key: &Key) -> Aes256 {
    let mut digest = Zeroizing::new([0_u8; 32]);
    digest.copy_from_slice(&Sha256::digest(key.bytes()));
    Aes256::new(GenericArray::from_slice(&*digest))
}

/// Whether the last text is a block scalar, which would take the padding in.
fn is_block_scalar_last(text: &str) -> bool {
    let styles = Parser::new_from_str(text).map_while(Result::ok).filter_map(|(event, _)| match event {
        Event::Scalar(_, style, ..) => Some(style),
        _ => None,
    });
    styles.last().is_some_and(|style| matches!(style, ScalarStyle::Literal | ScalarStyle::Folded))
}
