//! `sproutctl user …`, `sproutctl passwd` and `sproutctl quota …`

use clap::{Args, Subcommand, ValueEnum};

/// See and manage users (staff, superusers).
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List users, by name.
    List(List),
    /// Show a user with quota and use.
    Get(Which),
    /// Create a user; the password is asked for twice.
    Create(Create),
    /// Change what a user may do; disable and enable users.
    Update(Update),
    /// Give a user a new password; all tokens of theirs stop working.
    Passwd(Reset),
}

/// How to list users.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only members of this user group.
    #[arg(long, value_name = "NAME")]
    pub(crate) user_group: Option<String>,
    /// Also those that are disabled.
    #[arg(long)]
    pub(crate) all: bool,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Names a user.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of the user.
    pub(crate) name: String,
}

/// A user to create.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name to sign in with.
    pub(crate) name: String,
    /// What the user may do.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// Put the user into this user group; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) user_group: Vec<String>,
    /// Let the user override memory and CPUs of appliances.
    #[arg(long)]
    pub(crate) override_hardware: bool,
    /// Read the password from the first line of standard input, even at a terminal.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// What to change of a user.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Name of the user.
    pub(crate) name: String,
    /// What the user may do.
    #[arg(long, value_enum)]
    pub(crate) role: Option<Role>,
    /// The user may not sign in, and no token of theirs works.
    #[arg(long, conflicts_with = "enable")]
    pub(crate) disable: bool,
    /// The user may sign in again.
    #[arg(long)]
    pub(crate) enable: bool,
    /// Whether the user may override memory and CPUs of appliances.
    #[arg(long, value_name = "BOOL")]
    pub(crate) override_hardware: Option<bool>,
    /// Do not ask before a user is disabled. Needed where there is no terminal to ask at.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A user who gets a new password.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Name of the user.
    pub(crate) name: String,
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
    /// As a user, but a program: its requests are batch unless they say otherwise.
    Bot,
    /// See everything.
    Staff,
    /// Do everything.
    Superuser,
}

/// Change your password; your other tokens stop working.
#[derive(Debug, Args)]
pub(crate) struct Passwd {
    /// Read the old and the new password from the first two lines of standard input, even at a terminal.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// See and set what users may have at most.
#[derive(Debug, Subcommand)]
pub(crate) enum Quota {
    /// Show a quota, and what is used of it.
    Get(QuotaOf),
    /// Set limits of a user, or take them away; those not named stay (staff).
    Set(SetQuota),
}

/// Whose quota.
#[derive(Debug, Args)]
pub(crate) struct QuotaOf {
    /// Name of the user; without it, you.
    pub(crate) name: Option<String>,
}

/// A quota to set.
#[derive(Debug, Args)]
pub(crate) struct SetQuota {
    /// Name of the user.
    pub(crate) name: String,
    /// Appliances in one pool; "none": no limit.
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) appliances_per_pool: Option<Limit>,
    /// Pools that have not ended; "none": no limit.
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) pools: Option<Limit>,
    /// Appliances in all pools; "none": no limit.
    #[arg(long, value_name = "N", value_parser = limit)]
    pub(crate) appliances: Option<Limit>,
    /// Share of free slots compared to others, where requests wait: 1 to 100.
    #[arg(long, value_name = "N")]
    pub(crate) weight: Option<u32>,
}

/// A limit, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        number => number.parse().map(|number| Limit(Some(number))).map_err(|_| "write a number, or none".to_owned()),
    }
}
