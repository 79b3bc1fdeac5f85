//! The samples in `conf/` are documentation: they must be right as they are, right with everything in them uncommented,
//! and complete.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use sprout_config::{Config, Mistakes, read};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf").join(name)
}

fn config(file: &Path) -> Config {
    let mut mistakes = Mistakes::default();
    let config = read(file, &mut mistakes);
    mistakes.or_some(config).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The samples with every `#key: …` uncommented, and every provider in use that can be.
fn uncommented() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let key = Regex::new(r"(?m)^( *)#([a-z_]+:)").unwrap();
    for name in ["sprout.yaml", "cfme_data.yaml", "credentials.yaml"] {
        let text = fs::read_to_string(sample(name)).unwrap().replace("use_for_sprout: false", "use_for_sprout: true");
        fs::write(dir.path().join(name), &*key.replace_all(&text, "$1$2")).unwrap();
    }
    let file = dir.path().join("sprout.yaml");
    (dir, file)
}

#[test]
fn the_samples_are_right() {
    let config = config(&sample("sprout.yaml"));
    assert_eq!(config.server.groups.keys().collect::<Vec<_>>(), ["demo", "downstream-511z"]);
    assert_eq!(config.providers.iter().map(|provider| &*provider.key).collect::<Vec<_>>(), ["local-containers"]);
}

#[test]
fn the_defaults_they_tell_are_those() {
    let (_dir, file) = uncommented();
    let (told, real) = (config(&file), config(&sample("sprout.yaml")));
    assert_eq!((told.server.listen, told.server.check_interval), (real.server.listen, real.server.check_interval));
    assert_eq!((told.server.data_dir(), told.server.logs()), (real.server.data_dir(), real.server.logs()));
    assert_eq!(told.server.database.url().expose(), real.server.database.url().expose());
    assert_eq!(told.server.database.max_connections(), real.server.database.max_connections());
    let (told_demo, demo) = (&told.server.groups["demo"], &real.server.groups["demo"]);
    assert_eq!((told_demo.default_lease, told_demo.max_lease), (demo.default_lease, demo.max_lease));
    assert_eq!(
        (told_demo.probes[0].deadline, told_demo.probes[0].timeout),
        (demo.probes[0].deadline, demo.probes[0].timeout)
    );
    let told = told.providers.iter().find(|provider| provider.key == "local-containers").unwrap();
    let real = &real.providers[0];
    assert_eq!((told.provisioning_limit, told.disabled), (real.provisioning_limit, real.disabled));
}

/// A key that is taken and not in the samples is one nobody will find.
#[test]
fn every_key_is_there() {
    let text: String = ["sprout.yaml", "cfme_data.yaml"].map(|name| fs::read_to_string(sample(name)).unwrap()).concat();
    for key in sprout_config::known_keys() {
        let mentioned = Regex::new(&format!(r"[\s#{{`,]{key}:")).unwrap().is_match(&text);
        assert!(mentioned, "`{key}` is not in the samples");
    }
}

/// All of `conf/` is right, the samples of other processes included.
#[test]
fn the_directory_is_right() {
    let checked = sprout_config::check(&sample(""));
    let files = checked.mistakes.or(checked.files).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(files.len() >= 4, "{files:?}");
}
