//! The server as a process of its own: flags, log and signals around [`sprout_server::Server`].

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sprout_server::{
    Error, Options, Server, Settings,
    command::{self, CreateSuperuser, CreateWorker},
    config_command::ConfigCommand,
    import::ImportLegacy,
    report, start_log, stop_signal,
};

/// Sprout's server: the API, the scheduler, and the only writer of the database.
///
/// SIGTERM or SIGINT: takes nothing new, finishes calls under way (10 s at most) and exits with 0. SIGHUP, and changes of its files: reads
/// the configuration again. Each key of the
/// configuration can be set by the environment: `SPROUT_SERVER__LISTEN` sets `server.listen`.
#[derive(Debug, Parser)]
#[command(name = "sprout-server", version)]
struct Cli {
    /// Configuration; its section `server` is read
    #[arg(long, global = true, value_name = "FILE", env = "SPROUT_CONFIG", default_value = "/etc/sprout/sprout.yaml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; what happens if no command is given
    Run,
    /// Make the schema of the database current; makes the database if there is none yet
    Migrate,
    /// Create a user who may do everything
    CreateSuperuser(CreateSuperuser),
    /// Check or show the configuration, without a server
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make a token with which a worker can join once, and print it
    CreateWorker(CreateWorker),
    /// Take over users, their groups, quotas and warm appliances from the database of the service that Sprout replaces
    ImportLegacy(ImportLegacy),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error, error.hint()),
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    if let Some(Command::Config(command)) = &cli.command {
        return command.run(&cli.config);
    }
    let settings = Settings::read(&cli.config)?;
    start_log(&settings.server.log);
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => {
            let shutdown = stop_signal()?;
            let options = Options { settings, migrate: false, version: env!("CARGO_PKG_VERSION"), gateway_proof: None };
            Server::open(options).await?.run(shutdown).await
        }
        Command::Migrate => command::migrate(settings).await,
        Command::CreateSuperuser(superuser) => superuser.run(settings, false).await,
        Command::CreateWorker(worker) => worker.run(settings).await,
        Command::ImportLegacy(import) => import.run(settings).await,
        // Done above: for it, the configuration need not be right.
        Command::Config(command) => command.run(&cli.config),
    }
}
