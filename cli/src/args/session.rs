//! Signing in, and completion.

use std::time::Duration;

use clap::Args;

use super::duration;

/// Sign in, and keep the token in the configuration file.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// User name; asked for at a terminal.
    pub(crate) name: Option<String>,
    /// Read the password from the first line of standard input, even at a terminal.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// The token is valid this long, at most 30d [default: 12h].
    #[arg(long, value_parser = duration::parse)]
    pub(crate) lifetime: Option<Duration>,
}

/// Make the token invalid, and forget it.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Also end every other session of yours, wherever you signed in; tokens with names stay.
    #[arg(long)]
    pub(crate) everywhere: bool,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
