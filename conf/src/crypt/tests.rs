//! Vectors of the original tool, and what happens to files that were damaged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{ffi::OsString, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::*;

fn key(bytes: &[u8]) -> Key {
    Key::new(bytes.to_vec(), "test").unwrap()
}

#[test]
fn vectors_of_the_original_tool() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yaml-encryption-vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(vectors.len(), 2);
    for vector in &vectors {
        let bytes = |name: &str| STANDARD.decode(vector[name].as_str().unwrap()).unwrap();
        let (key, plain, encrypted) =
            (key(&bytes("key_bytes_b64")), vector["dumped_yaml"].as_str().unwrap(), bytes("eyaml_b64"));
        assert_eq!(legacy::encrypt(plain, &key), encrypted);
        assert_eq!(*decrypt(&encrypted, &key).unwrap(), plain);
        assert_eq!(format_of(&encrypted), Format::Legacy);
    }
}

#[test]
fn what_is_encrypted_comes_back() {
    let key = key(b"key\n");
    for format in [Format::Legacy, Format::Sealed] {
        for text in [
            "a: b\n",
            "a: |\n  text\n",
            "a: |+\n  text\n\n\n",
            "a: >\n",
            "# ä\na: 'ö'\n",
            "sixteen: bytes.\n",
            "a: [b\n  ]\n",
        ] {
            assert_eq!(*decrypt(&encrypt(text, &key, format).unwrap(), &key).unwrap(), text, "{format:?} {text:?}");
        }
    }
    // The same text is never the same file.
    assert_ne!(encrypt("a: b\n", &key, Format::Sealed).unwrap(), encrypt("a: b\n", &key, Format::Sealed).unwrap());
}

#[test]
fn wrong_keys_and_damaged_files_are_noticed() {
    let (right, wrong) = (key(b"right"), key(b"right\n"));
    let text = "vsphere:\n  username: admin\n  password: hunter2hunter2hunter2\n";
    for format in [Format::Legacy, Format::Sealed] {
        let bytes = encrypt(text, &right, format).unwrap();
        let told = |bytes: &[u8], key: &Key| decrypt(bytes, key).unwrap_err().to_string();
        assert!(told(&bytes, &wrong).contains("not the key of this file"), "{format:?}");
        let mut tampered = bytes.clone();
        let last = tampered.len() - 20;
        tampered[last] ^= 1;
        assert!(told(&tampered, &right).contains("not the key of this file"), "{format:?}");
        let cut = told(&bytes[..bytes.len() - 7], &right);
        assert!(cut.contains(if format == Format::Legacy { "a part is missing" } else { "was changed" }), "{cut}");
        assert!(!told(&tampered, &right).contains("hunter2"));
    }
    assert_eq!(decrypt(b"", &right).unwrap_err().to_string(), "cannot be decrypted: the file is empty");
    assert!(decrypt(b"sprout-sealed-1\nshort", &right).is_err());
}

#[test]
fn keys_are_found_in_their_order_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("conf");
    fs::create_dir(&conf).unwrap();
    let none = |_: &str| None;
    let e = Key::find_in(&conf, None, none).unwrap_err().to_string();
    assert!(e.contains(".yaml_key") && e.contains("SPROUT_YAML_KEY_FILE"), "{e}");
    fs::write(dir.path().join(".yaml_key"), "of the project\n").unwrap();
    assert_eq!(Key::find_in(&conf, None, none).unwrap().bytes(), b"of the project\n");
    fs::write(conf.join(".yaml_key"), "of the directory").unwrap();
    assert_eq!(Key::find_in(&conf, None, none).unwrap().bytes(), b"of the directory");
    let file = dir.path().join("key");
    fs::write(&file, "named").unwrap();
    let variables = |name: &str| match name {
        "YAYCL_CRYPT_KEY_FILE" => Some(OsString::from(&file)),
        _ => None,
    };
    assert_eq!(Key::find_in(&conf, None, variables).unwrap().bytes(), b"named");
    let variables = |name: &str| match name {
        "YAYCL_CRYPT_KEY" => Some(OsString::from("theirs")),
        "SPROUT_YAML_KEY" => Some(OsString::from("ours")),
        _ => None,
    };
    let found = Key::find_in(&conf, None, variables).unwrap();
    assert_eq!(
        (found.bytes(), format!("{found:?}").as_str()),
        (b"ours".as_slice(), "[key from variable SPROUT_YAML_KEY]")
    );
    assert_eq!(Key::find_in(&conf, Some(&file), variables).unwrap().bytes(), b"named");
    fs::write(&file, "").unwrap();
    assert!(Key::find_in(&conf, Some(&file), none).unwrap_err().to_string().ends_with("is empty"));
    assert!(Key::find_in(&conf, Some(Path::new("/nowhere/key")), none).unwrap_err().to_string().contains("not found"));
}
