//! `sproutctl machine …`

use clap::{Args, Subcommand, ValueEnum};

/// See what is on providers: ours, others', and what was left over (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Machine {
    /// List what the last refresh found on a provider, and what will become of it.
    List(List),
}

/// Which machines to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Key of the provider.
    pub(crate) provider: String,
    /// Only those that are so; can be given several times, or as a list with commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) kind: Vec<Kind>,
    /// List at most this many.
    #[arg(long, default_value_t = 1000)]
    pub(crate) limit: usize,
}

/// Whose a machine is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// An appliance that is known.
    Tracked,
    /// Somebody else's.
    Untracked,
    /// Ours by its tag, and no appliance is known.
    Leaked,
}
