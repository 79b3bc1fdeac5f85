//! The sample of the configuration is documentation: it must be right as it is, and tell the defaults as they are.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{fs, path::Path};

use sprout_sim::core::Config;

fn sample() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/sim.yaml")).unwrap()
}

fn read(text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sim.yaml");
    fs::write(&file, text).unwrap();
    let config: Config = sprout_conf::load(&file).unwrap();
    config.check().unwrap();
    config
}

#[test]
fn the_sample_is_right_and_tells_the_defaults() {
    let plain = read(&sample());
    let defaults = Config::default();
    assert_eq!(Config { templates: defaults.templates.clone(), ..plain.clone() }, defaults);

    let told = read(&sample().replace("#- {", "- {").lines().map(uncommented).collect::<Vec<_>>().join("\n"));
    assert_eq!((told.faults.len(), told.capacity.instances), (4, Some(200)));
    let same = Config { faults: Vec::new(), capacity: defaults.capacity.clone(), ..told };
    assert_eq!(Config { templates: defaults.templates.clone(), ..same }, defaults);
}

/// `#key: …` without the mark; a comment has a space after it.
fn uncommented(line: &str) -> String {
    let rest = line.trim_start();
    match rest.strip_prefix('#').filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase())) {
        Some(key) => format!("{}{key}", &line[..line.len() - rest.len()]),
        None => line.to_owned(),
    }
}
