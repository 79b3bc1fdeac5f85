//! The command `sproutctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sproutctl::run(std::env::args_os())
}
