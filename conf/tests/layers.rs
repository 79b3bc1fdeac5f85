//! Files over files, encrypted ones, what is inherited, and what is shown of it.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a test fails by panicking, and has time"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use sprout_conf::{
    ConfigError, Dialect, Document, KeySource,
    crypt::{self, Format, Key},
};
use tempfile::TempDir;

const KEY: &[u8] = b"the key\n";

struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key"), KEY).unwrap();
        for (name, text) in files {
            let bytes = if Path::new(name).extension().is_some_and(|ending| ending == "eyaml") {
                crypt::encrypt(text, &Key::new(KEY.to_vec(), "test").unwrap(), Format::Legacy).unwrap()
            } else {
                text.as_bytes().to_vec()
            };
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> Result<Document, ConfigError> {
        let keys = KeySource { file: Some(self.path("key")) };
        Document::open(&self.path("c.yaml"), Dialect::Legacy, &keys)
    }

    fn told(&self) -> String {
        self.open().unwrap_err().to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    fn json(&self) -> String {
        serde_json::to_string(self.open().unwrap().root()).unwrap()
    }
}

#[track_caller]
fn merged(base: &str, local: &str, expected: &str) {
    assert_eq!(Files::new(&[("c.yaml", base), ("c.local.yaml", local)]).json(), expected);
}

#[test]
fn local_files_are_laid_over() {
    merged(
        "a: {b: 1, c: {d: 2}}\nl: [1, 2]\n",
        "a: {c: {e: 3}}\nl: [3]\n",
        r#"{"a":{"b":1,"c":{"d":2,"e":3}},"l":[3]}"#,
    );
    merged("a: {b: 1}\n", "a: 5\n", r#"{"a":5}"#);
    merged("a: 1\nb: {c: 1}\n", "a:\nb:\n", r#"{"a":null,"b":{"c":1}}"#);
    merged("a: 1\n", "a: {}\n", r#"{"a":1}"#);
    merged("a:\n", "a: {b: 1}\n", r#"{"a":{"b":1}}"#);
    merged("a: 1\n", "", r#"{"a":1}"#);
    merged("a: 1\n", "# nothing\n", r#"{"a":1}"#);
    let files = Files::new(&[("c.yaml", "a: [1]\nb: x\n"), ("c.local.yaml", "a: {b: 1}\nb:\n  c: 2\n")]);
    assert_eq!(
        files.told(),
        "c.local.yaml:1:5: a mapping cannot be laid over what is at c.yaml:1:4, which is none\n\
         c.local.yaml:3:3: a mapping cannot be laid over what is at c.yaml:2:4, which is none"
    );
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    let files = Files::new(&[("c.yaml", "a: yes\nb: 010\nc: 0123456789\nd: 'yes'\ne: 1.5\nf: ~\n")]);
    assert_eq!(files.json(), r#"{"a":true,"b":8,"c":"0123456789","d":"yes","e":1.5,"f":null}"#);
}

#[test]
fn encrypted_files_are_read() {
    let files = Files::new(&[("c.eyaml", "a: {user: x, pass: y}\n"), ("c.local.eyaml", "a: {pass: z}\n")]);
    assert_eq!(files.json(), r#"{"a":{"user":"x","pass":"z"}}"#);
    assert_eq!(files.open().unwrap().files(), [files.path("c.eyaml"), files.path("c.local.eyaml")]);
    // The plain one wins, which may not be what was meant.
    let both = Files::new(&[("c.yaml", "a: 1\n"), ("c.eyaml", "a: 2\n")]);
    assert_eq!(both.json(), r#"{"a":1}"#);
    assert!(both.open().unwrap().notes()[0].contains("c.eyaml is not used, because"));
}

#[test]
fn encrypted_files_that_cannot_be_read() {
    let files = Files::new(&[("c.eyaml", "a: hunter2hunter2hunter2\n")]);
    fs::write(files.path("key"), b"the key").unwrap();
    let told = files.told();
    assert!(told.starts_with("c.eyaml: cannot be decrypted with the key from ") && told.contains("line end"), "{told}");
    fs::write(files.path("key"), KEY).unwrap();
    let bytes = fs::read(files.path("c.eyaml")).unwrap();
    fs::write(files.path("c.eyaml"), &bytes[1..]).unwrap();
    assert!(files.told().contains("a part is missing"));
    fs::write(files.path("c.eyaml"), b"").unwrap();
    assert!(files.told().contains("the file is empty"));
    // Mistakes in what is in it have their places.
    let wrong = Files::new(&[("c.eyaml", "a: 1\na: hunter2\n")]);
    assert_eq!(wrong.told(), "c.eyaml:2:1: key `a` is there twice; remove one of them");
}

#[test]
fn there_must_be_a_file() {
    let files = Files::new(&[]);
    assert!(matches!(files.open(), Err(ConfigError::Missing { .. })));
    let local = Files::new(&[("c.local.yaml", "a: 1\n")]);
    assert_eq!(local.json(), r#"{"a":1}"#);
    fs::create_dir(files.path("c.yaml")).unwrap();
    assert_eq!(files.told(), "c.yaml: cannot be read: is a directory");
    assert_eq!(Files::new(&[("c.yaml", "5\n")]).told(), "c.yaml:1:1: found a single value, expected keys with values");
}

#[test]
fn keys_are_inherited() {
    let files = Files::new(&[(
        "c.yaml",
        "base: {a: 1, n: {x: 1, y: 2}}\nmid: {inherit: base, a: 2}\ntop:\n  in: {inherit: mid, n: {y: 3}}\nsame: {inherit: base/a}\n",
    )]);
    assert_eq!(
        files.json(),
        r#"{"base":{"a":1,"n":{"x":1,"y":2}},"mid":{"a":2,"n":{"x":1,"y":2}},"top":{"in":{"a":2,"n":{"x":1,"y":3}}},"same":1}"#
    );
    let through = Files::new(&[("c.yaml", "a: {inherit: b}\nb: {c: {d: 1}}\ne: {inherit: a/c}\n")]);
    assert_eq!(through.json(), r#"{"a":{"c":{"d":1}},"b":{"c":{"d":1}},"e":{"d":1}}"#);
}

#[test]
fn inheritance_that_goes_nowhere() {
    let files =
        Files::new(&[("c.yaml", "a: {inherit: b}\nb: {inherit: a}\nc:\n  inherit: none/there\nd: {inherit: [x]}\n")]);
    let told = files.told();
    assert!(
        told.contains("c.yaml:2:14: `a` inherits from itself") || told.contains("c.yaml:1:14: `b` inherits"),
        "{told}"
    );
    assert!(told.contains("c.yaml:4:12: there is nothing at `none/there` in this file"), "{told}");
    assert!(told.contains("c.yaml:5:14: found a list, expected a path"), "{told}");
    assert!(Files::new(&[("c.yaml", "a: {b: {inherit: a}}\n")]).told().contains("inherits from itself"));
    // Each level holds the one below twice.
    let mut bomb = "x0: {a: 1}\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        bomb += &format!("x{level}: {{a: {{inherit: x{below}}}, b: {{inherit: x{below}}}}}\n");
    }
    assert!(Files::new(&[("c.yaml", &bomb)]).told().contains("too large for a configuration file"));
    let chain: String = (0..500).map(|n| format!("x{n}: {{inherit: x{}}}\n", n + 1)).collect();
    assert!(Files::new(&[("c.yaml", &chain)]).told().contains("too large for a configuration file"));
}

#[test]
fn what_is_shown_has_no_secrets() {
    let files = Files::new(&[
        (
            "c.yaml",
            "name: shown\ncredentials: byname\nepass: 5\nin_place:\n  credentials: {username: u, password: hunter2, pin: 1234}\nurl: postgres://u:hun@ter2@h/n\ntoken: hunter2\nnothing_token:\n",
        ),
        ("c.local.eyaml", "more: {a: hunter2}\n"),
    ]);
    let shown = serde_json::to_string(&files.open().unwrap().root().masked(false)).unwrap();
    assert_eq!(
        shown,
        r#"{"name":"shown","credentials":"byname","epass":5,"in_place":{"credentials":{"username":"u","password":"[secret]","pin":"[secret]"}},"url":"postgres://u:[secret]@h/n","token":"[secret]","nothing_token":null,"more":{"a":"[secret]"}}"#
    );
    let all = serde_json::to_string(&files.open().unwrap().root().masked(true)).unwrap();
    assert!(!all.contains("shown") && !all.contains("1234"), "{all}");
    assert!(!format!("{:?}", files.open().unwrap()).contains("hunter2"));
}

fn told_or_read(path: &Path) -> String {
    let document = Document::open(path, Dialect::Legacy, &KeySource::default());
    match document {
        Ok(document) => format!("{:?}", document.root()),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is in a file, it is read or refused; nothing panics, and nothing takes long.
    #[test]
    fn anything_is_read_or_refused(text in r#"([a-c]: |- |\{|\}|\[|\]|, |: |&a |\*a|<<: |inherit: |[a-c0-9'"|>#!%@\t~-]|\n|\n  |\n    |---\n|é){0,60}"#) {
        let files = Files::new(&[("c.yaml", &text)]);
        prop_assert!(!told_or_read(&files.path("c.yaml")).is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), ending in "(e?)yaml") {
        let files = Files::new(&[(".yaml_key", "key")]);
        let path = files.path("c.yaml").with_extension(ending);
        fs::write(&path, bytes).unwrap();
        prop_assert!(!told_or_read(&path).is_empty());
    }

    /// A text survives encryption in either format, and as the original tool understands it: padded YAML.
    #[test]
    fn texts_survive_encryption(value in "[a-z :#'\"|>é]{0,20}", indent in 0..4_usize) {
        let text = format!("a: |\n  x\n{}b: {}\n", " ".repeat(indent * 2), serde_json::to_string(&value).unwrap());
        let key = Key::new(KEY.to_vec(), "test").unwrap();
        let bytes = crypt::encrypt(&text, &key, Format::Legacy).unwrap();
        prop_assert_eq!(&*crypt::decrypt(&bytes, &key).unwrap(), &text);
    }
}
