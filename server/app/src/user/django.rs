//! Passwords as Django stores them (`pbkdf2_sha256$ITERATIONS$SALT$BASE64`, its `PBKDF2PasswordHasher`): those of users who came from the service before
//! go on working, and are replaced by hashes of our own kind when they are used.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::Sha256;
use sprout_domain::Secret;
use subtle::ConstantTimeEq as _;

/// How such hashes begin.
const ALGORITHM: &str = "pbkdf2_sha256$";
/// More than any release of Django asks for; what is beyond would only keep a core busy.
const MOST_ITERATIONS: u32 = 10_000_000;

/// This is such a hash.
pub(super) fn is_hash(hash: &str) -> bool {
    hash.starts_with(ALGORITHM)
}

/// It is one that a password can match.
pub(super) fn is_whole(hash: &str) -> bool {
    parts(hash).is_some()
}

/// The password has this hash.
pub(super) fn matches(password: &Secret, hash: &str) -> bool {
    let Some((iterations, salt, wanted)) = parts(hash) else { return false };
    let mut found = [0_u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.expose().as_bytes(), salt.as_bytes(), iterations, &mut found);
    found.ct_eq(&wanted).into()
}

fn parts(hash: &str) -> Option<(u32, &str, [u8; 32])> {
    let mut parts = hash.strip_prefix(ALGORITHM)?.splitn(3, '$');
    let iterations = parts.next()?.parse().ok().filter(|count| (1..=MOST_ITERATIONS).contains(count))?;
    let salt = parts.next()?;
    let wanted = BASE64_STANDARD.decode(parts.next()?).ok()?.try_into().ok()?;
    Some((iterations, salt, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the password `lètmein` with the salt `seasalt`, made with Python's `hashlib.pbkdf2_hmac`.
    const HASHES: [&str; 2] = [
        "pbkdf2_sha256$1$seasalt$mJQ8D8xVBAKQGCo0t0n+NSPS2a0gQhVtjuC9LdL9WiM=",
        "pbkdf2_sha256$150000$seasalt$71l36B3C2UesFoWz5oshQ1SSTtCLnDO5RMysCfljq5o=",
    ];

    #[test]
    fn hashes_of_django_match() {
        for hash in HASHES {
            assert!(is_hash(hash) && is_whole(hash) && matches(&Secret::new("lètmein"), hash));
            assert!(!matches(&Secret::new("letmein"), hash));
        }
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for hash in [
            "pbkdf2_sha256$",
            "pbkdf2_sha256$0$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "pbkdf2_sha256$99999999999$salt$x",
            "pbkdf2_sha256$1$salt$not base64",
            "pbkdf2_sha256$1$salt$AAAA",
        ] {
            assert!(!matches(&Secret::new(""), hash) && !is_whole(hash), "{hash}");
        }
        assert!(!is_hash("!unusable") && !is_hash("$argon2id$v=19$"));
    }
}
