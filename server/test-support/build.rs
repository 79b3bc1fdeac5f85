//! Names the schema after what makes it, so that a copy of it is never taken for another one.

use std::{
    error::Error,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
};

const SOURCES: &str = "../../migrations/src";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCES}");
    let mut files: Vec<PathBuf> =
        fs::read_dir(SOURCES)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        fs::read(file)?.hash(&mut hash);
    }
    println!("cargo::rustc-env=SPROUT_TEST_SCHEMA={:016x}", hash.finish());
    Ok(())
}
