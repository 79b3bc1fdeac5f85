//! The web gateway as a process: flags, log and signals around [`sprout_web_gateway::Gateway`].

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser;
use sprout_conf::Servers;
use sprout_web_gateway::{Gateway, config::GatewayConfig};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves what browsers, and clients that do not speak gRPC, use: the JSON API under /appliances/api.
///
/// It keeps nothing, so that any number of it can stand before the servers. SIGTERM or SIGINT: takes nothing new, finishes calls under way (10 s at
/// most) and exits with 0. RUST_LOG sets how much is logged.
#[derive(Debug, Parser)]
#[command(version)]
#[allow(clippy::doc_markdown)] // these comments are the help text
struct Args {
    /// Configuration; its section `web_gateway` is read
    #[arg(long, value_name = "FILE", env = "SPROUT_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:7680]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// URL of the server; of several that share a database, separated by commas or given again [default: http://127.0.0.1:7600]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    server: Vec<String>,
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
    let mut config = args.config.as_deref().map_or_else(|| Ok(GatewayConfig::default()), GatewayConfig::read)?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if !args.server.is_empty() {
        config.server = Some(Servers::from(args.server));
    }
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened to")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened to")?;
    let gateway = Gateway::open(config, None).await?;
    tracing::info!("the web interface is at {}", gateway.url());
    gateway
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    tracing::info!("web gateway has stopped");
    Ok(())
}
