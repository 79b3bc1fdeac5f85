//! Two servers, three workers and a simulated provider, on one PostgreSQL and one Redis: what must outlive any one of them is played here.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection, Settings,
    proto::provider::{CheckProviderRequest, GetProviderRequest},
};
use tokio::process::Command;

use crate::{
    lab::{PASSWORD, keep_warm, sign_in},
    process::{admin, binary, free_ports},
    program::Program,
    retry,
};

/// The one group.
pub const GROUP: &str = "sim";
/// Key of the one provider.
const PROVIDER: &str = "simulated";
const SERVERS: usize = 2;
const WORKERS: usize = 3;

/// What differs between installations.
#[derive(Debug, Clone)]
pub struct Plan {
    /// URL of a PostgreSQL database without a schema.
    pub database: String,
    /// URL of a Redis.
    pub redis: String,
    /// Appliances to keep warm.
    pub warm: u32,
    /// Deployments at once that the provider is configured for.
    pub provisioning_limit: u32,
    /// Appliances that the provider is configured for.
    pub appliance_limit: u32,
    /// How long the provider takes for a clone.
    pub clone_latency: Duration,
    /// How often the provider is checked: the period of a job. Whole seconds.
    pub check_interval: Duration,
    /// Steps that one worker runs at once.
    pub slots: u32,
}

impl Plan {
    /// Quick, and with room for everything.
    pub fn new(database: &str, redis: &str) -> Self {
        Self {
            database: database.to_owned(),
            redis: redis.to_owned(),
            warm: 0,
            provisioning_limit: 100,
            appliance_limit: 1_000,
            clone_latency: Duration::from_millis(300),
            check_interval: Duration::from_mins(10),
            slots: 64,
        }
    }
}

/// Everything that runs.
pub struct Installation {
    /// `sprout-server`, all equal.
    pub servers: Vec<Arc<Program>>,
    /// `sprout-worker`: `worker-0` and so on.
    pub workers: Vec<Arc<Program>>,
    /// `sprout-sim`.
    pub sim: Arc<Program>,
    /// Where each server listens.
    pub addresses: Vec<SocketAddr>,
    /// URL of each server, for workers and clients.
    pub urls: Vec<String>,
    /// URL of the simulator.
    pub endpoint: String,
    token: String,
    directory: tempfile::TempDir,
}

impl Installation {
    /// Starts everything and waits until the provider works. `in_front` says by which URL a server is to be reached.
    pub async fn start(plan: &Plan, mut in_front: impl AsyncFnMut(SocketAddr) -> Result<String>) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("sprout-installation.").tempdir()?;
        let dir = directory.path();
        let ports = free_ports(SERVERS + 2)?;
        let endpoint = format!("http://127.0.0.1:{}", ports[SERVERS]);
        let sim = simulator(dir, ports[SERVERS], ports[SERVERS + 1], plan).await?;
        let addresses: Vec<_> = ports[..SERVERS].iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let mut urls = Vec::new();
        for address in &addresses {
            urls.push(in_front(*address).await?);
        }

        write_providers(dir, &endpoint, plan)?;
        let (mut servers, mut workers) = (Vec::new(), Vec::new());
        for (number, address) in addresses.iter().enumerate() {
            let config = write_server(dir, number, *address, plan)?;
            if number == 0 {
                admin(&config, &["migrate"], "").await?;
                admin(&config, &["create-superuser", "--name", "admin", "--password-stdin"], PASSWORD).await?;
            }
            servers
                .push(program(&format!("server-{number}"), "sprout-server", dir, &["run", "--config"], &config).await?);
        }
        for number in 0..WORKERS {
            let id = format!("worker-{number}");
            let token = admin(&dir.join("server-0.yaml"), &["create-worker", &id], "").await?;
            fs::write(dir.join(format!("{id}.join")), token.trim())?;
            let config = write_worker(dir, &id, &urls, plan)?;
            workers.push(program(&id, "sprout-worker", dir, &["--config"], &config).await?);
        }
        let token = sign_in(&urls[0]).await?.1;
        let installation = Self { servers, workers, sim, addresses, urls, endpoint, token, directory };
        installation.check_provider().await?;
        keep_warm(&installation.client(0)?, GROUP, plan.warm).await?;
        Ok(installation)
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client of one of the servers, signed in as a superuser.
    pub fn client(&self, server: usize) -> Result<Connection> {
        self.connect(&self.urls[server % self.urls.len()])
    }

    /// A client that calls whichever server answers.
    pub fn client_of_all(&self) -> Result<Connection> {
        self.connect(&self.urls.join(","))
    }

    fn connect(&self, url: &str) -> Result<Connection> {
        Ok(Connection::open(Settings { token: Some(self.token.clone().into()), ..Settings::new(url) })?)
    }

    /// All processes.
    pub fn processes(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.servers.iter().chain(&self.workers).chain([&self.sim])
    }

    /// Waits until every worker has a session.
    pub async fn until_workers_are_there(&self) -> Result<()> {
        let client = self.client_of_all()?;
        retry("every worker is there", async || {
            let workers = client.workers().list_workers(sprout_client::proto::worker::ListWorkersRequest {}).await?;
            let there = workers.into_inner().workers.iter().filter(|worker| worker.connected).count();
            ensure!(there == WORKERS, "{there} are");
            Ok(())
        })
        .await
    }

    async fn check_provider(&self) -> Result<()> {
        let client = self.client(0)?;
        let key = || PROVIDER.to_owned();
        retry("the provider works", async || {
            client.providers().check_provider(CheckProviderRequest { key: key() }).await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let provider = client.providers().get_provider(GetProviderRequest { key: key() }).await?;
            let provider = provider.into_inner().provider.context("no provider")?;
            ensure!(provider.working && provider.template_count > 0, "{}", provider.status);
            Ok(())
        })
        .await
    }

    /// Ends everything in an orderly way.
    pub async fn stop(&self) -> Result<()> {
        for process in self.workers.iter().chain(&self.servers).chain([&self.sim]) {
            process.stop().await?;
        }
        Ok(())
    }

    /// Lets its files stay where they are; returns where.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }
}

async fn simulator(dir: &Path, port: u16, appliance_port: u16, plan: &Plan) -> Result<Arc<Program>> {
    let (program, state, latency) = (binary("sprout-sim")?, dir.join("sim"), plan.clone_latency.as_millis());
    Program::start("sim", dir, move || {
        let mut command = Command::new(&program);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--appliance-port", &appliance_port.to_string()]);
        command.args(["--templates", "sim-1.0=1.0", "--clone-latency", &latency.to_string(), "--state"]).arg(&state);
        command
    })
    .await
}

async fn program(name: &str, program: &str, dir: &Path, flags: &'static [&str], config: &Path) -> Result<Arc<Program>> {
    let (program, config) = (binary(program)?, config.to_owned());
    Program::start(name, dir, move || {
        let mut command = Command::new(&program);
        command.args(flags).arg(&config).env("RUST_LOG", "info");
        command
    })
    .await
}

fn write_providers(dir: &Path, endpoint: &str, plan: &Plan) -> Result<()> {
    let Plan { provisioning_limit, appliance_limit, .. } = plan;
    let text = format!(
        "management_systems:
  {PROVIDER}:
    type: sim
    use_for_sprout: true
    sprout: {{endpoint: '{endpoint}', provisioning_limit: {provisioning_limit}, appliance_limit: {appliance_limit}}}
"
    );
    Ok(fs::write(dir.join("cfme_data.yaml"), text)?)
}

fn write_server(dir: &Path, number: usize, address: SocketAddr, plan: &Plan) -> Result<PathBuf> {
    let data = dir.join(format!("data-{number}"));
    fs::create_dir(&data)?;
    let Plan { database, redis, check_interval, .. } = plan;
    let text = format!(
        "server:
  listen: {address}
  data_dir: {data}
  database: {{url: '{database}'}}
  redis: '{redis}'
  check_interval: {check}s
  groups:
    {GROUP}:
      template_pattern: 'sim-(?<version>[0-9.]+)'
      endpoints:
        web: {{port: 80, scheme: http}}
      probes:
        - {{endpoint: web, http: {{path: /version, body_contains: '1.0'}}, deadline: 20s, timeout: 2s}}
",
        data = data.display(),
        check = check_interval.as_secs(),
    );
    let path = dir.join(format!("server-{number}.yaml"));
    fs::write(&path, text)?;
    Ok(path)
}

fn write_worker(dir: &Path, id: &str, urls: &[String], plan: &Plan) -> Result<PathBuf> {
    let text = format!(
        "worker:\n  server: [{}]\n  id: {id}\n  join_token_file: {}\n  state_dir: {}\n  slots: {}\n",
        urls.join(", "),
        dir.join(format!("{id}.join")).display(),
        dir.join("workers").display(),
        plan.slots,
    );
    let path = dir.join(format!("{id}.yaml"));
    fs::write(&path, text)?;
    Ok(path)
}
