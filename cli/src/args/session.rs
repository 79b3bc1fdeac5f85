//! Signing in, users, and completion.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

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

/// Manage users (superusers).
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Create a user; the password is asked for twice.
    Create(CreateUser),
}

/// A user to create.
#[derive(Debug, Args)]
pub(crate) struct CreateUser {
    /// Name to sign in with.
    pub(crate) name: String,
    /// What the user may do.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// Read the password from the first line of standard input, even at a terminal.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Role {
    /// Own pools and appliances.
    #[default]
    User,
    /// See everything.
    Staff,
    /// Do everything.
    Superuser,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
