//! The last words of a program that failed, on stderr: one clear line, and what to do.

use std::{
    fmt::Display,
    io::{Write as _, stderr},
    process::ExitCode,
};

/// Writes `error: …` (one line for each line of it) and `hint: …`; the code to exit with.
pub fn failure(error: &dyn Display, hint: Option<&str>) -> ExitCode {
    let lines = error.to_string();
    for line in lines.lines() {
        // If stderr is gone, nobody listens.
        let _ = writeln!(stderr(), "error: {line}");
    }
    if let Some(hint) = hint {
        let _ = writeln!(stderr(), "hint: {hint}");
    }
    ExitCode::FAILURE
}
