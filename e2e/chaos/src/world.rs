//! The installation that faults are played against.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use sprout_client::{
    Connection, Settings,
    proto::{
        provider::{CheckProviderRequest, GetProviderRequest},
        sim::{SetFaultsRequest, sim_service_client::SimServiceClient},
        user::LoginRequest,
    },
};
use sprout_e2e::{binary, run};
use tokio::{process::Command, time::sleep};
use tonic::transport::Channel;

use crate::{process::Process, proxy::Proxy};

/// Deployments at once that the provider is configured for.
pub(crate) const PROVISIONING_LIMIT: u32 = 12;
/// Appliances that the provider is configured for.
pub(crate) const APPLIANCE_LIMIT: u32 = 40;
/// Kept warm.
const WARM: u32 = 4;
const PASSWORD: &str = "correct horse battery";

/// Everything that runs.
pub(crate) struct World {
    pub(crate) servers: Vec<Arc<Process>>,
    pub(crate) workers: Vec<Arc<Process>>,
    pub(crate) sim: Arc<Process>,
    /// In front of each server: what workers and clients use.
    pub(crate) proxies: Vec<Proxy>,
    /// Where the private services are.
    pub(crate) services: PathBuf,
    /// URL of the simulator.
    pub(crate) endpoint: String,
    token: String,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(services: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("sprout-chaos.").tempdir()?;
        let dir = directory.path();
        let ports = free_ports(3)?;
        let endpoint = format!("http://127.0.0.1:{}", ports[2]);
        let sim = simulator(dir, ports[2]).await?;

        let mut proxies = Vec::new();
        for port in &ports[..2] {
            proxies.push(Proxy::start(SocketAddr::from(([127, 0, 0, 1], *port))).await?);
        }
        let urls: Vec<_> = proxies.iter().map(|proxy| proxy.url.clone()).collect();
        let configs =
            [write_config(dir, 0, ports[0], &endpoint, &urls)?, write_config(dir, 1, ports[1], &endpoint, &urls)?];
        admin(&configs[0], &["migrate"], "").await?;
        admin(&configs[0], &["create-superuser", "--name", "admin", "--password-stdin"], PASSWORD).await?;

        let mut servers = Vec::new();
        for (number, config) in configs.iter().enumerate() {
            servers
                .push(program(&format!("server-{number}"), "sprout-server", dir, &["run", "--config"], config).await?);
        }
        let mut workers = Vec::new();
        for number in 0..3 {
            let id = format!("worker-{number}");
            let token = admin(&configs[0], &["create-worker", &id], "").await?;
            fs::write(dir.join(format!("{id}.token")), token.trim())?;
            let config = write_worker_config(dir, &id, &urls)?;
            workers.push(program(&id, "sprout-worker", dir, &["--config"], &config).await?);
        }
        let token = sign_in(&urls).await?;
        let world = Self { servers, workers, sim, proxies, services: services.to_owned(), endpoint, token, directory };
        world.check_provider().await?;
        Ok(world)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client of one of the servers, signed in as a superuser.
    pub(crate) fn client(&self, server: usize) -> Result<Connection> {
        let url = &self.proxies[server % self.proxies.len()].url;
        Ok(Connection::open(Settings { token: Some(self.token.clone().into()), ..Settings::new(url) })?)
    }

    /// The simulator, past everything.
    pub(crate) fn simulator(&self) -> Result<SimServiceClient<Channel>> {
        let channel = Channel::from_shared(self.endpoint.clone())?.timeout(Duration::from_secs(30)).connect_lazy();
        Ok(SimServiceClient::new(channel))
    }

    /// All processes of ours.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.servers.iter().chain(&self.workers).chain([&self.sim])
    }

    /// Everything runs again, and the provider makes no more mistakes.
    pub(crate) async fn heal(&self) -> Result<()> {
        for process in self.processes() {
            process.ensure_running().await?;
        }
        for name in ["postgres", "redis"] {
            self.revive(name).await?;
        }
        retry("the simulator answers", async || {
            self.simulator()?.set_faults(SetFaultsRequest { faults: Vec::new() }).await?;
            Ok(())
        })
        .await
    }

    /// Starts a private service again, if it does not run.
    pub(crate) async fn revive(&self, name: &str) -> Result<()> {
        let output = run(Command::new("scripts/service.sh").args(["revive", name]).arg(&self.services), "").await?;
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    async fn check_provider(&self) -> Result<()> {
        let client = self.client(0)?;
        retry("the provider works", async || {
            client.providers().check_provider(CheckProviderRequest { key: "sim".into() }).await?;
            sleep(Duration::from_millis(200)).await;
            let provider = client.providers().get_provider(GetProviderRequest { key: "sim".into() }).await?;
            let provider = provider.into_inner().provider.context("no provider")?;
            ensure!(provider.working && provider.template_count > 0, "{}", provider.status);
            Ok(())
        })
        .await
    }

    /// Ends everything in an orderly way; logs stay where something was wrong.
    pub(crate) async fn stop(self, fine: bool) -> Result<()> {
        for process in self.workers.iter().chain(&self.servers).chain([&self.sim]) {
            process.stop().await?;
        }
        if !fine {
            println!("chaos: the logs are kept in {}", self.directory.keep().display());
        }
        Ok(())
    }
}

async fn simulator(dir: &Path, port: u16) -> Result<Arc<Process>> {
    let (program, state) = (binary("sprout-sim")?, dir.join("sim"));
    Process::start("sim", dir, move || {
        let mut command = Command::new(&program);
        command.args([
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--templates",
            "chaos-1.0=1.0",
            "--clone-latency",
            "300",
        ]);
        command.arg("--state").arg(&state);
        command
    })
    .await
}

async fn program(name: &str, program: &str, dir: &Path, flags: &'static [&str], config: &Path) -> Result<Arc<Process>> {
    let (program, config) = (binary(program)?, config.to_owned());
    Process::start(name, dir, move || {
        let mut command = Command::new(&program);
        command.args(flags).arg(&config).env("RUST_LOG", "info");
        command
    })
    .await
}

/// Repeats something until it succeeds, two minutes at most.
pub(crate) async fn retry<T>(what: &str, try_it: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut last = None;
    for _ in 0..600 {
        match try_it().await {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("never: {what}: {last:?}")
}

async fn sign_in(urls: &[String]) -> Result<String> {
    let anonymous = Connection::open(Settings::new(&urls[0]))?;
    let login = LoginRequest { name: "admin".into(), password: PASSWORD.into(), lifetime: None };
    retry("the server answers", async || Ok(anonymous.users().login(login.clone()).await?.into_inner().token)).await
}

async fn admin(config: &Path, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(binary("sprout-server")?);
    command.args(arguments).arg("--config").arg(config);
    let output = run(&mut command, input).await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Ports that are free, and below those that outgoing connections are given.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let start = u16::try_from(std::process::id() % 10_000)?;
    let candidates = (0..10_000).map(|n| 20_000 + (start + n) % 10_000);
    let free: Vec<_> = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(count).collect();
    ensure!(free.len() == count, "no ports are free between 20000 and 30000");
    Ok(free)
}

fn write_config(dir: &Path, number: usize, port: u16, endpoint: &str, urls: &[String]) -> Result<PathBuf> {
    let data = dir.join(format!("data-{number}"));
    fs::create_dir(&data)?;
    let database = env::var("SPROUT_TEST_POSTGRES").context("SPROUT_TEST_POSTGRES is not set; use `make chaos`")?;
    let redis = env::var("SPROUT_TEST_REDIS").context("SPROUT_TEST_REDIS is not set; use `make chaos`")?;
    let text = format!(
        "server:
  listen: 127.0.0.1:{port}
  data_dir: {data}
  database: {{url: '{database}'}}
  redis: '{redis}'
  check_interval: 10s
  groups:
    chaos:
      template_pattern: 'chaos-(?<version>[0-9.]+)'
      warm: {WARM}
      endpoints:
        web: {{port: 80, scheme: http}}
      probes:
        - {{endpoint: web, http: {{path: /version, body_contains: '1.0'}}, deadline: 20s, timeout: 2s}}
worker:
  server: [{urls}]
",
        data = data.display(),
        urls = urls.join(", "),
    );
    let providers = format!(
        "management_systems:
  sim:
    type: sim
    use_for_sprout: true
    sprout: {{endpoint: '{endpoint}', provisioning_limit: {PROVISIONING_LIMIT}, appliance_limit: {APPLIANCE_LIMIT}}}
"
    );
    fs::write(dir.join("cfme_data.yaml"), providers)?;
    let path = dir.join(format!("server-{number}.yaml"));
    fs::write(&path, text)?;
    Ok(path)
}

fn write_worker_config(dir: &Path, id: &str, urls: &[String]) -> Result<PathBuf> {
    let path = dir.join(format!("{id}.yaml"));
    let text = format!(
        "worker:\n  server: [{}]\n  id: {id}\n  token_file: {}\n  slots: 16\n",
        urls.join(", "),
        dir.join(format!("{id}.token")).display()
    );
    fs::write(&path, text)?;
    Ok(path)
}
