//! Every mistake a configuration file can have, with the exact sentence it must give.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test fails by panicking, and has time")]

use std::{collections::BTreeMap, ffi::OsString, fs};

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Server {
    listen: String,
    #[serde(default)]
    slots: u16,
    #[serde(default)]
    verbose: bool,
    #[serde(default)]
    mode: Mode,
    tls: Option<Tls>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    peers: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Tls {
    cert: String,
    key: String,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Fast,
    Careful,
}

const SECTIONS: &[&str] = &["server", "worker"];

fn whole(text: &str) -> Result<Server, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, text).unwrap();
    load(&path).map_err(|e| e.to_string().replace(path.to_str().unwrap(), "c.yaml"))
}

fn part(text: &str, variables: &[(&str, &str)]) -> Result<Server, String> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, text).unwrap();
    let mut mistakes = Mistakes::default();
    let overrides = env::from_variables(variables, "server", SECTIONS, &mut mistakes);
    Document::open(&path, Dialect::Strict, &KeySource::default())
        .and_then(|document| document.section_under("server", SECTIONS, overrides, mistakes))
        .map_err(|e| e.to_string().replace(path.to_str().unwrap(), "c.yaml"))
}

#[track_caller]
fn fails(text: &str, message: &str) {
    assert_eq!(whole(text).unwrap_err(), message);
}

#[test]
fn a_correct_file_is_read() {
    let server = whole("# comment\nlisten: 127.0.0.1:7600\nmode: careful\ntls: {cert: a, key: b}\n").unwrap();
    assert_eq!(server.listen, "127.0.0.1:7600");
    assert_eq!(server.mode, Mode::Careful);
    assert_eq!(server.tls, Some(Tls { cert: "a".into(), key: "b".into() }));
}

#[test]
fn numbers_are_texts_where_texts_are_wanted() {
    assert_eq!(whole("listen: 5.10").unwrap().listen, "5.10");
}

#[test]
fn a_typo_is_named_with_its_place_and_what_was_meant() {
    fails(
        "listen: x\nslotz: 3\n",
        "c.yaml:2:1: unknown key `slotz` (did you mean `slots`?); known keys are: listen, slots, verbose, mode, tls, labels, peers",
    );
    fails(
        "listen: x\ntls:\n  cert: a\n  key: a\n  zzz: b\n",
        "c.yaml:5:3: unknown key `zzz`; known keys are: cert, key",
    );
    fails(
        "listen: x\nmode: carefull\n",
        "c.yaml:2:7: unknown value `carefull` (did you mean `careful`?); use one of: fast, careful",
    );
}

#[test]
fn wrong_types_say_what_is_expected() {
    fails("listen: x\nslots: many\n", "c.yaml:2:8: not a valid value, expected u16");
    fails("listen: x\nverbose: yes\n", "c.yaml:2:10: not a valid value, expected true or false");
    fails("listen: x\ntls: secret\n", "c.yaml:2:6: expected keys with values");
    fails("listen: [a]\n", "c.yaml:1:9: expected a text");
    fails("listen:\n", "c.yaml:1:7: no value, expected a text (write \"\" for an empty one)");
}

#[test]
fn duplicate_keys_are_errors() {
    fails("listen: x\nlisten: y\n", "c.yaml:2:1: key `listen` is there twice; remove one of them");
}

#[test]
fn missing_keys_are_named() {
    fails("slots: 3\n", "c.yaml:1:1: key `listen` is missing");
    fails("", "c.yaml: the file is empty, expected keys with values");
    fails("# nothing\n\n", "c.yaml: the file is empty, expected keys with values");
}

#[test]
fn broken_yaml_has_a_place() {
    fails(
        "listen: x\ntls:\n\tcert: a\n",
        "c.yaml:3:2: tabs disallowed within this context (block indentation); indent with spaces",
    );
    fails("listen: \"x\n", "c.yaml:1:9: unclosed quote");
    fails("listen: x\npeers: a\n", "c.yaml:2:8: expected a list");
    fails("listen: x\n---\nlisten: y\n", "c.yaml:2:1: a second document starts here; remove the line `---`");
}

#[test]
fn a_text_in_the_wrong_place_is_not_repeated() {
    let e = part("server: hunter2\n", &[]).unwrap_err();
    assert!(!e.contains("hunter2"), "{e}");
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.yaml");
    let e = load::<Server>(&path).unwrap_err();
    assert_eq!(e.to_string(), format!("{}: file not found; create it or name another one", path.display()));
    let e = load::<Server>(dir.path()).unwrap_err();
    assert_eq!(e.to_string(), format!("{}: cannot be read: is a directory", dir.path().display()));
    fs::write(&path, b"listen: \xff").unwrap();
    let e = load::<Server>(&path).unwrap_err();
    assert_eq!(e.to_string(), format!("{}:1:9: not a UTF-8 text; save the file as UTF-8", path.display()));
}

#[test]
fn sections_of_others_are_left_alone_and_unknown_ones_are_not() {
    assert_eq!(part("worker: {any: 1}\nserver: {listen: x}\n", &[]).unwrap().listen, "x");
    assert_eq!(
        part("servers: {listen: x}\n", &[]).unwrap_err(),
        "c.yaml:1:1: unknown key `servers` (did you mean `server`?); known keys are: server, worker"
    );
    let absent = "c.yaml: section `server` is empty or not there: key `listen` is missing";
    assert_eq!(part("server:\n", &[]).unwrap_err(), absent);
    assert_eq!(part("", &[]).unwrap_err(), absent);
    assert_eq!(
        part("server:\n  listen: x\n  slotz: 1\n", &[]).unwrap_err(),
        "c.yaml:3:3: unknown key `slotz` (did you mean `slots`?); known keys are: listen, slots, verbose, mode, tls, labels, peers"
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let text = "server:\n  listen: x\n  tls: {cert: a, key: b}\n";
    let server = part(
        text,
        &[
            ("SPROUT_SERVER__LISTEN", "pass #word: \"x"),
            ("SPROUT_SERVER__SLOTS", "7"),
            ("SPROUT_SERVER__TLS__KEY", "c"),
            ("SPROUT_SERVER__LABELS__SITE", "brno"),
            ("SPROUT_SERVER__PEERS", "[a, b]"),
            ("SPROUT_WORKER__ANY", "9"),
            ("SPROUT_TOKEN", "not one of ours"),
        ],
    )
    .unwrap();
    assert_eq!(server.listen, "pass #word: \"x");
    assert_eq!(server.slots, 7);
    assert_eq!(server.tls, Some(Tls { cert: "a".into(), key: "c".into() }));
    assert_eq!(server.labels["site"], "brno");
    assert_eq!(server.peers, ["a", "b"]);
}

#[test]
fn the_environment_alone_is_enough() {
    let tls = [("SPROUT_SERVER__LISTEN", "x"), ("SPROUT_SERVER__TLS__KEY", "k"), ("SPROUT_SERVER__TLS__CERT", "c")];
    for text in ["", "server:\n", "worker: {}\n", "server: {tls: null}\n"] {
        let server = part(text, &tls).unwrap();
        assert_eq!((server.listen.as_str(), server.tls.unwrap().key.as_str()), ("x", "k"), "{text}");
    }
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let text = "server:\n  listen: x\n";
    let fails = |variable: &str, value: &str, message: &str| {
        assert_eq!(
            part(text, &[(variable, value)]).unwrap_err(),
            format!("environment variable {variable}: {message}")
        );
    };
    fails("SPROUT_SERVER__SLOTS", "many", "not a valid value, expected u16");
    fails("SPROUT_SERVER__TLS__KEY", "k", "key `cert` is missing");
    fails("SPROUT_SERVER__LISTEN__PORT", "1", "it sets a key inside something that is not a mapping");
    fails(
        "SPROUT_SERVR__SLOTS",
        "1",
        "there is no section `servr` (did you mean `server`?); sections are: server, worker",
    );
    fails("SPROUT_SERVER__", "1", "its name has an empty part; write SECTION__KEY");
    fails(
        "SPROUT_SERVER__SLOTZ",
        "1",
        "unknown key `slotz` (did you mean `slots`?); known keys are: listen, slots, verbose, mode, tls, labels, peers",
    );
    assert_eq!(
        part(text, &[("SPROUT_SERVER__TLS", "{cert: a, key: b}"), ("SPROUT_SERVER__TLS__KEY", "k")]).unwrap_err(),
        "environment variable SPROUT_SERVER__TLS__KEY: SPROUT_SERVER__TLS sets all of `tls` already; unset one of them"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    fails(
        "slots: many\nslotz: 1\nverbose: 5\ntls: {crt: a}\npeers: [a, [b], {c: d}]\nlabels: {a: b, a: c}\n",
        "c.yaml:6:16: key `a` is there twice; remove one of them",
    );
    fails(
        "slots: many\nslotz: 1\nverbose: 5\ntls: {crt: a}\npeers: [a, [b], {c: d}]\n",
        "c.yaml:1:8: not a valid value, expected u16
c.yaml:2:1: unknown key `slotz` (did you mean `slots`?); known keys are: listen, slots, verbose, mode, tls, labels, peers
c.yaml:3:10: not a valid value, expected true or false
c.yaml:4:7: unknown key `crt` (did you mean `cert`?); known keys are: cert, key
c.yaml:4:6: key `cert` is missing
c.yaml:5:12: expected a text
c.yaml:5:17: expected a text
c.yaml:1:1: key `listen` is missing",
    );
    // What is taken out because it is wrong is not missing.
    fails("listen: [a]\nslots: x\n", "c.yaml:1:9: expected a text\nc.yaml:2:8: not a valid value, expected u16");
}

#[test]
fn bombs_are_refused_at_once() {
    let too_much = "too large or too deeply nested for a configuration file";
    for depth in [100, 5000] {
        let deep = format!("listen: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        assert!(whole(&deep).unwrap_err().ends_with(too_much));
    }
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert!(whole(&laughs).unwrap_err().ends_with(too_much));
    assert!(whole("listen: &a [*a]\n").unwrap_err().contains("inside of what it stands for"));
    assert!(whole("listen: *a\n").unwrap_err().contains("no anchor of this name"));
    let long = format!("listen: {}\n", "x".repeat(17 * 1024 * 1024));
    assert!(whole(&long).unwrap_err().ends_with("larger than 16 MiB, too large for a configuration file"));
}

#[test]
fn other_ways_to_be_no_configuration() {
    fails("- a\n- b\n", "c.yaml:1:1: expected keys with values");
    fails("[a]: b\nlisten: x\n", "c.yaml:1:1: a list or a mapping cannot be a key; quote it");
    fails("listen: !secret x\n", "c.yaml:1:9: tag !secret is not known here; remove it");
    assert_eq!(whole("listen: !!str 5\n").unwrap().listen, "5");
    assert!(whole("listen: {a: b\n").is_err());
    assert!(whole("\0").is_err());
}

#[test]
fn anchors_and_merge_keys_work() {
    let server = whole("tls: &t {cert: a, key: b}\nlisten: x\nlabels:\n  <<: [*t, {more: c}]\n  key: mine\n").unwrap();
    let labels: Vec<_> = server.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("cert", "a"), ("key", "mine"), ("more", "c")]);
    fails("listen: x\nlabels:\n  <<: 5\n", "c.yaml:3:7: `<<` takes a mapping, or a list of mappings");
}
