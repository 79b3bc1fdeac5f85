//! The simulator as a process: flags, configuration and signals around [`sprout_sim::server`].

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser;
use sprout_conf::Secret;
use sprout_sim::{
    core::{Config, Latency},
    server::{Options, Simulator},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A simulated provider: speaks sprout.provider.v1, and has nothing real behind it.
///
/// Flags come before the configuration. SPROUT_SIM_TOKEN, if set, must be named by callers. RUST_LOG sets how much is logged.
#[derive(Debug, Parser)]
#[command(version)]
#[allow(clippy::doc_markdown)] // these comments are the help text
struct Args {
    /// Where to listen: IP:PORT or unix:///path
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:7700")]
    listen: String,
    /// Directory of the state, which survives restarts
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Configuration; conf/sim.yaml is a sample
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Templates, and the version that instances of each answer with
    #[arg(long, value_name = "NAME=VERSION", value_delimiter = ',', value_parser = template)]
    templates: Vec<(String, String)>,
    /// How long creating an instance takes: milliseconds, or e.g. "normal 800 100"
    #[arg(long, value_name = "LATENCY")]
    clone_latency: Option<Latency>,
    /// Instances there is room for
    #[arg(long, value_name = "COUNT")]
    capacity: Option<u32>,
    /// Port that instances answer HTTP on; 0: any that is free
    #[arg(long, value_name = "PORT")]
    appliance_port: Option<u16>,
    /// Seed of everything that is random
    #[arg(long)]
    seed: Option<u64>,
}

fn template(text: &str) -> Result<(String, String), String> {
    let (name, version) = text.split_once('=').ok_or("write NAME=VERSION")?;
    Ok((name.to_owned(), version.to_owned()))
}

impl Args {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config: Config = self.config.as_deref().map_or_else(|| Ok(Config::default()), sprout_conf::load)?;
        if !self.templates.is_empty() {
            config.templates = self.templates.iter().cloned().collect();
        }
        if let Some(latency) = self.clone_latency {
            config.latency.create = latency;
        }
        config.capacity.instances = self.capacity.or(config.capacity.instances);
        config.appliance_port = self.appliance_port.unwrap_or(config.appliance_port);
        config.seed = self.seed.unwrap_or(config.seed);
        Ok(config)
    }
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
    let config = args.config()?;
    let token = std::env::var("SPROUT_SIM_TOKEN").map(Secret::from).unwrap_or_default();
    let leave = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, leave) = (signal(kind).context("signals cannot be listened to")?, leave.clone());
        tokio::spawn(async move {
            signals.recv().await;
            leave.cancel();
        });
    }
    let simulator = Simulator::start(Options { listen: args.listen.clone(), state: args.state, config, token }).await?;
    let endpoint = simulator.address().map_or(args.listen, |address| format!("http://{address}"));
    tracing::info!(endpoint, appliance_port = simulator.appliance_port(), "simulator serves");
    // For whoever started it with port 0: one line, once it can be called.
    writeln!(io::stdout(), "{endpoint}")?;
    Ok(simulator.serve(leave).await?)
}
