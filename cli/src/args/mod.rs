//! What can be typed: the command line as clap sees it, and nothing else.

pub(crate) mod appliance;
pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod checkout;
pub(crate) mod cleanup;
pub(crate) mod config;
pub(crate) mod duration;
pub(crate) mod hold;
pub(crate) mod id;
pub(crate) mod job;
pub(crate) mod machine;
pub(crate) mod operate;
pub(crate) mod other;
pub(crate) mod pool;
pub(crate) mod pool_change;
pub(crate) mod session;
pub(crate) mod shepherd;
pub(crate) mod stats;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod user_group;
pub(crate) mod worker;
pub(crate) mod workflow;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Requests test appliances from a Sprout server, and works on them.
///
/// Where the server is comes from flags, then the environment, then the configuration file that `login` writes
/// (~/.config/sprout/config.yaml).
#[derive(Debug, Parser)]
#[command(name = "sproutctl", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// How to print data.
    #[arg(short, long, global = true, value_enum, default_value_t, help_heading = "Global options")]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to print data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs; watches print one object per line.
    Json,
    /// The same as JSON, as YAML.
    Yaml,
}

/// How to reach the server. The environment is read elsewhere: clap would show what is set there in every usage line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ConnectionArgs {
    /// Server, as https://HOST:PORT, or http://127.0.0.1:PORT on this machine (there, port 7600 is the default); of several
    /// that share a database, separated by commas or given again, one is called until it fails, then the next
    /// [env: `SPROUT_SERVER`].
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    pub(crate) server: Vec<String>,
    /// PEM file with the certificates to trust instead of the system's [env: `SPROUT_CA`].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the token to use instead of `SPROUT_TOKEN` and the one `login` saved.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Allow http:// to other machines; passwords and tokens then travel in the clear.
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// Configuration file [env: `SPROUTCTL_CONFIG`].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Everything sproutctl can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in, and keep the token in the configuration file.
    Login(session::Login),
    /// Make the token invalid, and forget it.
    Logout(session::Logout),
    /// Show who you are to the server.
    Whoami,
    /// Show the server, its providers, its workers and your pools in one screen.
    Status,
    /// Take appliances for as long as a command runs, or until Ctrl-C.
    ///
    /// Waits until they are ready, keeps their lease alive, and gives them back in the end, also when the command fails, when it is
    /// interrupted, and when this is. The command finds them in its environment: `SPROUT_APPLIANCES` (what `appliance list -o json`
    /// prints), `SPROUT_POOL_ID`, and of each, counted from 0, `SPROUT_APPLIANCE_0_ADDRESS`, `SPROUT_APPLIANCE_0_URL` and
    /// `SPROUT_APPLIANCE_0_NAME`. The exit code is the command's; 128 and the signal's number if a signal ended it.
    Checkout(Box<checkout::Checkout>),
    /// Request pools of appliances, and work on them.
    #[command(subcommand)]
    Pool(pool::Pool),
    /// Work on single appliances.
    #[command(subcommand)]
    Appliance(appliance::Appliance),
    /// See and check the places that run appliances.
    #[command(subcommand)]
    Provider(other::Provider),
    /// See what is on providers: ours, others', and what was left over (staff).
    #[command(subcommand)]
    Machine(machine::Machine),
    /// See what was left over and goes, and rule what of others' may go (staff, superusers).
    #[command(subcommand)]
    Cleanup(cleanup::Cleanup),
    /// See the images that appliances are cloned from.
    #[command(subcommand)]
    Template(other::Template),
    /// See and read the services that say which templates may be used, and try rules for names (staff).
    #[command(subcommand)]
    Catalogue(catalogue::Catalogue),
    /// See the product lines.
    #[command(subcommand)]
    Group(other::Group),
    /// See and set how many appliances are kept warm.
    #[command(subcommand)]
    Shepherd(shepherd::Shepherd),
    /// See and manage the nodes that run steps against providers (staff).
    #[command(subcommand)]
    Worker(worker::Worker),
    /// See and steer tasks: the steps of workflows, each scheduled on a worker (staff).
    #[command(subcommand)]
    Task(task::Task),
    /// See and end workflows: durable chains of steps on one subject (staff).
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    /// See and run what the server does again and again (staff).
    #[command(subcommand)]
    Job(job::Job),
    /// Check, show, encrypt and decrypt configuration files; see what the server runs with.
    #[command(subcommand)]
    Config(config::Config),
    /// See what happens.
    #[command(subcommand)]
    Event(other::Event),
    /// Look up who changed what (staff).
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Show numbers over time: who waits, how long it took, what failed, how busy workers are (staff).
    Stats(stats::Stats),
    /// Sum for how long who had how many appliances, in hours.
    Usage(usage::Usage),
    /// See and manage users (staff, superusers).
    #[command(subcommand)]
    User(user::User),
    /// See and manage user groups: who may see and use which providers.
    #[command(subcommand)]
    UserGroup(user_group::UserGroup),
    /// See and set what users may have at most.
    #[command(subcommand)]
    Quota(user::Quota),
    /// Make, see and revoke tokens for programs.
    #[command(subcommand)]
    Token(token::Token),
    /// Change your password; your other tokens stop working.
    Passwd(user::Passwd),
    /// Print a completion script for a shell.
    Completion(session::Completion),
}

impl Command {
    /// What the command works on, to choose hints by.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Login(_) => "login",
            Self::Logout(_) => "logout",
            Self::Whoami => "whoami",
            Self::Status => "status",
            Self::Pool(pool::Pool::Request(_)) | Self::Checkout(_) => "request",
            Self::Pool(_) => "pool",
            Self::Appliance(_) => "appliance",
            Self::Provider(_) | Self::Workflow(workflow::Workflow::Ping(_)) => "provider",
            Self::Machine(_) => "machine",
            Self::Cleanup(_) => "cleanup",
            Self::Template(_) => "template",
            Self::Group(_) => "group",
            Self::Shepherd(_) => "shepherd",
            Self::Worker(_) => "worker",
            Self::Task(_) => "task",
            Self::Workflow(_) => "workflow",
            // What may not be found of a catalogue is its job.
            Self::Job(_) | Self::Catalogue(_) => "job",
            Self::Config(_) => "config",
            Self::Audit(_) => "audit",
            Self::Stats(_) => "stats",
            Self::Usage(_) => "usage",
            Self::Event(_) => "event",
            Self::User(_) | Self::Quota(_) | Self::Passwd(_) => "user",
            Self::UserGroup(_) => "user-group",
            Self::Token(_) => "token",
            Self::Completion(_) => "completion",
        }
    }
}
