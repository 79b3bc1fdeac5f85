//! Compiles the protos without a system protoc and keeps their descriptors for reflection and tests.

use std::{env, error::Error, fs, path::PathBuf};

/// Served by providers, not by the server.
const PROVIDERS: [&str; 2] = ["sprout/provider/v1/driver.proto", "sprout/sim/v1/sim.proto"];

/// These carry secrets, and have a Debug of their own (src/redacted.rs), that does not show them.
const REDACTED: [&str; 11] = [
    "sprout.task.v1.SshAccess",
    "sprout.task.v1.HttpCall",
    "sprout.user.v1.LoginRequest",
    "sprout.user.v1.LoginResponse",
    "sprout.user.v1.CreateUserRequest",
    "sprout.user.v1.ChangePasswordRequest",
    "sprout.user.v1.CreateTokenResponse",
    "sprout.user.v1.UpdateUserRequest",
    "sprout.worker.v1.ExternalSettings",
    "sprout.worker.v1.JoinRequest",
    "sprout.worker.v1.CreateJoinTokenResponse",
];

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
    let is_served = |file: &&PathBuf| !PROVIDERS.iter().any(|provider| file.ends_with(provider));
    let mut served = protox::Compiler::new([&root])?;
    served.include_imports(true).open_files(files.iter().filter(is_served))?;
    // Encoded by the compiler, which knows options that the types above do not: what is secret is one of them.
    let descriptors_of_served = served.encode_file_descriptor_set();
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), descriptors_of_served)?;
    tonic_prost_build::configure().skip_debug(REDACTED).compile_fds(descriptors)?;
    Ok(())
}
