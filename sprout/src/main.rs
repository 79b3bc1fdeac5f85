//! All in one: a server, one worker and the web gateway in one process, on a laptop or for a first try. The same code as in processes of their
//! own, wired differently: the database is one SQLite file that only this process uses, so it migrates it by itself.

mod all_in_one;
mod error;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use sprout_server::{Settings, command::CreateSuperuser, report, start_log};
use sprout_web_gateway::config::GatewayConfig;
use sprout_worker::config::WorkerConfig;

use self::{all_in_one::Parts, error::Error};

/// Sprout, all in one: a server, a worker and the web gateway in one process.
///
/// Without --config everything is kept in one directory, and the providers are those of its `cfme_data.yaml`. SIGTERM or SIGINT:
/// takes nothing new, finishes short steps and calls, and exits with 0.
#[derive(Debug, Parser)]
#[command(name = "sprout", version)]
struct Cli {
    /// Configuration; its sections `server`, `worker` and `web_gateway` are read
    #[arg(long, global = true, value_name = "FILE", env = "SPROUT_CONFIG")]
    config: Option<PathBuf>,
    /// Directory for everything, where there is no configuration [default: ~/.local/share/sprout]
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; what happens if no command is given
    Run,
    /// Create a user who may do everything
    CreateSuperuser(CreateSuperuser),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error, error.hint()),
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    let (settings, worker, gateway, providers_file) = if let Some(file) = &cli.config {
        let (worker, gateway) = (WorkerConfig::read(file)?, GatewayConfig::read(file)?);
        (Settings::read(file)?, worker, gateway, file.with_file_name("cfme_data.yaml"))
    } else {
        let data_dir = cli.data_dir.map_or_else(default_data_dir, Ok)?;
        let (worker, gateway) = (WorkerConfig::default(), GatewayConfig::default());
        (Settings::in_directory(&data_dir)?, worker, gateway, data_dir.join("cfme_data.yaml"))
    };
    start_log(&settings.server.log);
    // Nobody else can be using an embedded database; one on a server may have other replicas on it.
    let migrate = settings.server.database.is_embedded();
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => {
            tell_what_is_missing(&settings, &providers_file);
            all_in_one::run(Parts { settings, migrate, worker, gateway }).await
        }
        Command::CreateSuperuser(superuser) => Ok(superuser.run(settings, migrate).await?),
    }
}

/// Without providers and groups it runs, and can do nothing.
fn tell_what_is_missing(settings: &Settings, providers_file: &Path) {
    if settings.catalogue.providers.is_empty() {
        let file = settings.server.providers_file.as_deref().unwrap_or(providers_file).display();
        tracing::warn!(
            "no provider is configured, so nothing can be deployed; describe one in {file} (conf/cfme_data.yaml of the sources is a \
             sample) and start again"
        );
    }
    if settings.catalogue.groups.is_empty() {
        tracing::warn!(
            "no group is configured, so no template can be used; describe one in a sprout.yaml (conf/sprout.yaml of the sources is a \
             sample) and start again with --config"
        );
    }
}

/// Where programs keep data of the user.
fn default_data_dir() -> Result<PathBuf, Error> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
    data.map(|data| data.join("sprout")).ok_or(Error::NoHome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_right_for_the_worker_too() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/sprout.yaml");
        WorkerConfig::read(&sample).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for line in std::fs::read_to_string(sample).unwrap().split_inclusive('\n') {
            let key =
                line.trim_start().strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            text += key.map_or(line, |_| line).replacen('#', "", usize::from(key.is_some())).as_str();
        }
        let file = dir.path().join("sprout.yaml");
        std::fs::write(&file, text).unwrap();
        let config = WorkerConfig::read(&file).unwrap();
        assert_eq!((config.id.as_deref(), config.slots.map(std::num::NonZeroU32::get)), (Some("lab-1"), Some(128)));
        assert!(
            config.ca.is_some()
                && config.server.is_some()
                && config.join_token_file.is_some()
                && config.state_dir.is_some()
        );
        assert!(!config.labels.is_empty());
    }
}
