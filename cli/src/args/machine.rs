//! `sproutctl machine …`

use clap::{Args, Subcommand, ValueEnum};

use super::operate::Wait;

/// See what is on providers: ours, others', and what was left over; switch and delete what is no appliance (staff).
#[derive(Debug, Subcommand)]
pub(crate) enum Machine {
    /// List what the last refresh found on a provider, and what will become of it.
    List(List),
    /// Power on a machine that is no appliance (staff; of what does not carry our tag: superusers).
    Start(Power),
    /// Power off at once a machine that is no appliance (staff; of what does not carry our tag: superusers).
    Stop(Power),
    /// Delete a machine that is no appliance (staff what is left over of an appliance, superusers anything but another installation's).
    ///
    /// To confirm, the name is to be typed, or given with --confirm.
    Delete(Delete),
}

/// A machine to switch.
#[derive(Debug, Args)]
pub(crate) struct Power {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A machine to delete.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The name again, instead of typing it. Needed where there is no terminal to ask at.
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// Names a machine.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Key of the provider.
    pub(crate) provider: String,
    /// Name of the machine there.
    pub(crate) name: String,
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
