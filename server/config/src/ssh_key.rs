//! Private keys for SSH: what is wrong with one is told where it is written, before anything is started that would need it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a file in the format of OpenSSH begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// How PKCS #8 says that a key is one of RSA: 1.2.840.113549.1.1.1.
const RSA_OID: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// What helps.
const MAKE: &str = "make one with `ssh-keygen -t ed25519 -N ''`, and let the appliances know its public half";

/// Why nobody can sign in with this key, as far as can be seen; none: it is fine. Says nothing of what is in it.
pub(crate) fn mistake(key: &str) -> Option<String> {
    let mut lines = key.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
    let label = lines.next().and_then(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let Some(label) = label else {
        // PuTTY's own format is read, too.
        return match key.trim_start().lines().next().filter(|line| line.starts_with("PuTTY-User-Key-File-")) {
            Some(first) if first.contains("ssh-rsa") => Some(rsa()),
            Some(_) => None,
            None => {
                Some(format!("this is no private key: nothing begins with -----BEGIN OPENSSH PRIVATE KEY-----; {MAKE}"))
            }
        };
    };
    let mut body = Vec::new();
    let mut is_whole = false;
    for line in lines {
        if line.starts_with("-----END ") {
            is_whole = true;
            break;
        }
        body.push(line);
    }
    if body.iter().any(|line| line.contains("ENCRYPTED")) || label == "ENCRYPTED PRIVATE KEY" {
        return Some(with_passphrase());
    }
    let Some(bytes) = STANDARD.decode(body.concat()).ok().filter(|bytes| is_whole && !bytes.is_empty()) else {
        return Some(
            "this private key is damaged or cut off; write all of its file, with its first and last line".to_owned(),
        );
    };
    match label {
        "RSA PRIVATE KEY" => Some(rsa()),
        "PRIVATE KEY" if bytes.windows(RSA_OID.len()).any(|part| part == RSA_OID) => Some(rsa()),
        "PRIVATE KEY" | "EC PRIVATE KEY" => None,
        "OPENSSH PRIVATE KEY" => of_openssh(&bytes),
        other => Some(format!("this is a {other}, and an Ed25519 or ECDSA private key is needed; {MAKE}")),
    }
}

fn of_openssh(bytes: &[u8]) -> Option<String> {
    let read = || {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let cipher = field(&mut rest)?;
        let (_kdf, _options) = (field(&mut rest)?, field(&mut rest)?);
        rest = rest.get(4..)?; // how many there are
        let mut public = field(&mut rest)?;
        let kind = field(&mut public)?;
        field(&mut rest)?; // the private half
        Some((cipher, String::from_utf8_lossy(kind).into_owned()))
    };
    match read() {
        None => Some("this private key is damaged or cut off; write all of its file".to_owned()),
        Some((cipher, _)) if cipher != b"none" => Some(with_passphrase()),
        Some((_, kind)) if kind == "ssh-rsa" => Some(rsa()),
        Some((_, kind)) if kind == "ssh-ed25519" || kind.starts_with("ecdsa-sha2-") => None,
        Some((_, kind)) => Some(format!("this is a key of type {kind}, and an Ed25519 or ECDSA key is needed; {MAKE}")),
    }
}

/// A text with its length before it.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(field)
}

fn rsa() -> String {
    format!(
        "this is an RSA key, which is not used: what signs with them gives them away by the time that it takes (RUSTSEC-2023-0071); {MAKE}"
    )
}

fn with_passphrase() -> String {
    "this private key has a passphrase, and nobody is there to type it; write one without, in an encrypted file (`sproutctl config encrypt`)"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file in the format of OpenSSH, without a real key in it.
    fn openssh(cipher: &str, kind: &str) -> String {
        let text = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat();
        let public = text(&[text(kind.as_bytes()), text(b"point")].concat());
        let parts = [
            MAGIC.to_vec(),
            text(cipher.as_bytes()),
            text(b"none"),
            text(b""),
            vec![0, 0, 0, 1],
            public,
            text(b"secret"),
        ];
        pem("OPENSSH PRIVATE KEY", &parts.concat())
    }

    fn pem(label: &str, bytes: &[u8]) -> String {
        let body = STANDARD.encode(bytes);
        let lines: Vec<_> = body.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    #[test]
    fn says_what_is_wrong_with_a_key() {
        let pkcs8 = |oid: &[u8]| pem("PRIVATE KEY", &[&[0x30, 0x82], oid, b"secret"].concat());
        let fine =
            [openssh("none", "ssh-ed25519"), openssh("none", "ecdsa-sha2-nistp256"), pkcs8(b"\x06\x03\x2b\x65\x70")];
        for key in fine.iter().chain([&"PuTTY-User-Key-File-3: ssh-ed25519\n…".to_owned()]) {
            assert_eq!(mistake(key), None, "{key}");
        }
        let (damaged, cut) = (openssh("none", "ssh-ed25519").replace("AAAA", "A=AA"), openssh("none", "ssh-ed25519"));
        for (key, part) in [
            (openssh("none", "ssh-rsa"), "an RSA key"),
            (pem("RSA PRIVATE KEY", b"secret"), "an RSA key"),
            (pkcs8(RSA_OID), "an RSA key"),
            ("PuTTY-User-Key-File-2: ssh-rsa\n…".to_owned(), "an RSA key"),
            (openssh("none", "ssh-dss"), "of type ssh-dss"),
            (openssh("none", "sk-ssh-ed25519@openssh.com"), "of type sk-ssh-ed25519@openssh.com"),
            (pem("PUBLIC KEY", b"x"), "this is a PUBLIC KEY"),
            (openssh("aes256-ctr", "ssh-ed25519"), "passphrase"),
            (pem("ENCRYPTED PRIVATE KEY", b"x"), "passphrase"),
            (pem("EC PRIVATE KEY", b"x").replacen('\n', "\nProc-Type: 4,ENCRYPTED\n", 1), "passphrase"),
            (damaged, "damaged"),
            (cut[..cut.len() - 40].to_owned(), "cut off"),
            (pem("OPENSSH PRIVATE KEY", &MAGIC[..10]), "cut off"),
            ("secret".to_owned(), "no private key"),
        ] {
            let told = mistake(&key).unwrap_or_default();
            assert!(told.contains(part) && !told.contains("secret"), "{key}: {told}");
        }
    }
}
