//! Who may import whom: the layers of the workspace, as `cargo metadata` tells them.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate may import of ours. A crate without a row fails the test: decide where it belongs.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("sprout-proto", &[]),
    ("sprout-conf", &[]),
    ("sprout-migrations", &[]),
    ("sprout-config", &["sprout-conf"]),
    ("sprout-domain", &[]),
    ("sprout-app", &["sprout-domain"]),
    ("sprout-logs", &["sprout-app", "sprout-domain"]),
    ("sprout-reconcile", &["sprout-app", "sprout-domain"]),
    ("sprout-store", &["sprout-app", "sprout-domain", "sprout-migrations"]),
    ("sprout-bus", &["sprout-app", "sprout-domain"]),
    ("sprout-trackerbot", &["sprout-app", "sprout-domain"]),
    ("sprout-fleet", &["sprout-app", "sprout-domain", "sprout-proto"]),
    ("sprout-api", &["sprout-app", "sprout-domain", "sprout-proto"]),
    (
        "sprout-server",
        &[
            "sprout-api",
            "sprout-app",
            "sprout-bus",
            "sprout-conf",
            "sprout-config",
            "sprout-domain",
            "sprout-fleet",
            "sprout-logs",
            "sprout-reconcile",
            "sprout-store",
            "sprout-trackerbot",
        ],
    ),
    ("sprout-worker", &["sprout-conf", "sprout-proto"]),
    ("sprout-sim", &["sprout-conf", "sprout-proto"]),
    ("sprout-client", &["sprout-conf", "sprout-proto"]),
    // It checks configuration with the structs that read it, which know no server.
    ("sproutctl", &["sprout-client", "sprout-conf", "sprout-config", "sprout-proto"]),
    ("sprout-web-gateway", &["sprout-client", "sprout-conf"]),
    ("sprout", &["sprout-conf", "sprout-domain", "sprout-server", "sprout-web-gateway", "sprout-worker"]),
];

/// Crates that only tests and measurements use; they may import anything, and nothing may import them.
const TEST_ONLY: &[&str] =
    &["sprout-test-support", "sprout-e2e", "sprout-simulation", "sprout-chaos", "sprout-benches"];

/// Crates of others, and the only ones of ours that may import them.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sea-orm", &["sprout-store", "sprout-migrations"]),
    ("sea-orm-migration", &["sprout-store", "sprout-migrations"]),
    ("bollard", &["sprout-worker"]),
    ("virt", &["sprout-worker"]),
    ("granit-parser", &["sprout-conf"]),
    ("aes", &["sprout-conf"]),
    ("notify", &["sprout-server"]),
];

/// What would give the inner layers a wire format, a database or (the domain) a run time.
const INNER: &[(&str, &[&str])] = &[
    ("sprout-domain", &["tokio", "tonic", "prost", "futures", "async-trait"]),
    ("sprout-app", &["tonic", "prost"]),
    ("sprout-config", &["tokio", "tonic"]),
];

fn workspace() -> Metadata {
    MetadataCommand::new().no_deps().other_options(vec!["--offline".to_owned()]).exec().unwrap()
}

/// Names of the dependencies that end up in the crate; those of its tests do not count.
fn imports(package: &Package) -> BTreeSet<&str> {
    let built = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    built.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn every_crate_imports_only_what_its_layer_may() {
    let workspace = workspace();
    let names: BTreeSet<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let rows: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in workspace.packages.iter().filter(|package| !TEST_ONLY.contains(&package.name.as_str())) {
        let Some(allowed) = rows.get(package.name.as_str()) else {
            wrong.push(format!("{} has no row", package.name));
            continue;
        };
        for import in imports(package).intersection(&names) {
            if !allowed.contains(import) {
                wrong.push(format!("{} imports {import}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let gone: Vec<_> = rows.keys().chain(TEST_ONLY).filter(|name| !names.contains(*name)).collect();
    assert!(gone.is_empty(), "there are rows for crates that are not there: {gone:?}");
}

#[test]
fn libraries_stay_in_the_crates_they_are_for() {
    let mut wrong = Vec::new();
    for package in &workspace().packages {
        let (name, imports) = (package.name.as_str(), imports(package));
        if TEST_ONLY.contains(&name) {
            continue;
        }
        for (library, only_in) in ONLY_IN {
            if imports.contains(library) && !only_in.contains(&name) {
                wrong.push(format!("{name} imports {library}"));
            }
        }
        let banned = INNER.iter().filter(|(inner, _)| *inner == name).flat_map(|(_, banned)| *banned);
        wrong.extend(
            banned.filter(|library| imports.contains(**library)).map(|library| format!("{name} imports {library}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
