//! Has a release build embed the UI anew after it was built. Other builds read it from the disk, and need not be made again.

#![allow(missing_docs, reason = "a build script offers nothing to document")]

use std::{env, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Of a path that is not there, cargo believes that it changed: every time.
    if env::var("PROFILE").as_deref() == Ok("release") || Path::new("ui/dist").exists() {
        println!("cargo::rerun-if-changed=ui/dist");
    }
}
