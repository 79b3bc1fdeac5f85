//! The worker as a process of its own: flags, log and signals around [`sprout_worker::run`].

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser;
use sprout_conf::{Secret, Servers};
use sprout_worker::{config::WorkerConfig, leave};
use tracing_subscriber::EnvFilter;

/// Runs Sprout's work on providers: connects to a server and does what it is assigned.
///
/// At its first start it joins with a one-time token (`sproutctl worker token ID`), read from SPROUT_WORKER_JOIN_TOKEN or a
/// file; what it is given then is kept in the state directory. SIGTERM: takes nothing new and leaves when short steps ended. SIGINT: hands everything back and leaves; again: sooner. RUST_LOG sets how
/// much is logged.
#[derive(Debug, Parser)]
#[command(version)]
#[allow(clippy::doc_markdown)] // these comments are the help text
struct Args {
    /// Configuration; its section `worker` is read
    #[arg(long, value_name = "FILE", env = "SPROUT_CONFIG")]
    config: Option<PathBuf>,
    /// URL of the server; of several that share a database, separated by commas or given again [default: http://127.0.0.1:7600]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    server: Vec<String>,
    /// Id of this worker, unique and kept across restarts [default: the host's name]
    #[arg(long)]
    id: Option<String>,
    /// File with the token to join with; only needed until the worker has joined
    #[arg(long, value_name = "FILE")]
    join_token_file: Option<PathBuf>,
    /// Directory for what the worker is given when it joins [default: /var/lib/sprout-worker, or ~/.local/state/sprout-worker]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = args.config.as_deref().map_or_else(|| Ok(WorkerConfig::default()), WorkerConfig::read)?;
    if !args.server.is_empty() {
        config.server = Some(Servers::from(args.server));
    }
    config.id = args.id.or(config.id);
    config.state_dir = args.state_dir.or(config.state_dir);
    let mut token = std::env::var("SPROUT_WORKER_JOIN_TOKEN").ok().map(Secret::from);
    if let Some(path) = args.join_token_file {
        (config.join_token_file, token) = (Some(path), None);
    }
    let options = config.into_options(token)?;
    let leave = leave::on_signals().context("signals cannot be listened to")?;
    tracing::info!(servers = ?options.servers, id = options.id, slots = options.slots, kill_slots = options.kill_slots, "worker starts");
    sprout_worker::run(options, leave).await?;
    tracing::info!("worker has left");
    Ok(())
}
