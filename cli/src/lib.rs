//! `sproutctl`: Sprout on the command line. `args` says what can be typed, `commands` does it through the public API,
//! and `output` alone prints: data on standard output, everything else on standard error.

mod args;
mod commands;
mod config;
mod context;
mod failure;
mod output;
mod prompt;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _};

use args::Cli;
use output::Printer;

/// Runs one command line, and returns what the process should exit with (see `docs/sproutctl.md`).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let printer = Printer::new(cli.output);
    let noun = cli.command.noun();
    let done = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|source| failure::Failure::Io { what: "the program cannot start".to_owned(), source })
        .and_then(|runtime| {
            let done = runtime.block_on(commands::run(cli, &printer));
            // A read of the terminal that nobody waits for any more must not keep the process.
            runtime.shutdown_background();
            done
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure, noun);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The whole command line as clap knows it, for documentation and tests.
pub fn command() -> clap::Command {
    with_negative_numbers(Cli::command())
}

/// `-n -1` is a wrong number, not an unknown flag.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command.allow_negative_numbers(true).mut_subcommands(with_negative_numbers)
}
