//! Compiles the protos without a system protoc and keeps their descriptors for reflection and tests.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

/// Served by providers, not by the server.
const PROVIDERS: [&str; 2] = ["sprout/provider/v1/driver.proto", "sprout/sim/v1/sim.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut files = Vec::new();
    for area in fs::read_dir(root.join("sprout"))? {
        for file in fs::read_dir(area?.path().join("v1"))? {
            files.push(file?.path());
        }
    }
    files.sort();
    println!("cargo::rerun-if-changed={}", root.join("sprout").display());
    let descriptors = protox::compile(&files, [&root])?;
    let mut served = descriptors.clone();
    served.file.retain(|file| !PROVIDERS.contains(&file.name()));
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), served.encode_to_vec())?;
    // Has a Debug of its own, that shows no secrets.
    tonic_prost_build::configure().skip_debug(["sprout.worker.v1.ExternalSettings"]).compile_fds(descriptors)?;
    Ok(())
}
