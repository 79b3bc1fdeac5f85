//! `sproutctl token …`

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{duration, id};

/// Make, see and revoke tokens for programs.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// List your tokens that still work, newest first.
    List(List),
    /// Make a named token. Printed alone on stdout, for a file; it is shown only then.
    Create(Create),
    /// Make a token invalid.
    Revoke(Revoke),
}

/// Whose tokens.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Those of this user (superusers).
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
}

/// A token to make.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name, unique among yours.
    pub(crate) name: String,
    /// What it may be used for.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scope: Scope,
    /// How long it works, at most 400d [default: 90d].
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) expires: Option<Duration>,
}

/// What a token may be used for.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Scope {
    /// Calls that change nothing.
    Read,
    /// Those, and work on your own pools and appliances, as an ordinary user.
    #[default]
    Use,
    /// Everything you may do.
    Full,
}

/// A token to end.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Its id, as `token list` shows it.
    #[arg(value_parser = id::parse)]
    pub(crate) id: u64,
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}
