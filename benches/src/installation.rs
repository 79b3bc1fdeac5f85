//! An installation to measure: a database of its own, a real server process, workers, and connections of a superuser.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection, Settings,
    proto::{user::LoginRequest, worker::JoinRequest},
};
use sprout_e2e::{DatabaseKind, binary};
use sprout_test_support::database::EmptyDatabase;
use tokio::process::Command;

use crate::{
    process::{Process, free_port, output},
    puppet::Puppet,
    scenario::NotHere,
    services::Services,
    sim::Sim,
    usage::Watched,
};

const PASSWORD: &str = "correct horse battery";
/// The one group, and the one provider.
pub(crate) const GROUP: &str = "bench";
/// What the provider's settings are where no provider is needed: the puppet plays the worker and touches none. One appliance is deployed there, and it
/// is full: whatever the copies of that one come to, nothing is refilled while they are handed out.
const NO_PROVIDER: &str = "type: container\n    sprout: {provisioning_limit: 10000, appliance_limit: 1}";
/// What its appliances offer.
const ENDPOINT: &str = "endpoints: {web: {port: 80, scheme: http}}";

/// A database and the processes on it.
pub(crate) struct Installation {
    pub(crate) database: EmptyDatabase,
    pub(crate) server: Option<Process>,
    pub(crate) workers: Vec<Process>,
    directory: tempfile::TempDir,
    port: u16,
    postgres: Option<Watched>,
    redis: Option<Watched>,
}

impl Installation {
    /// One without a provider: see [`Puppet`].
    pub(crate) async fn start(kind: DatabaseKind, services: &Services) -> Result<Self> {
        Self::with(kind, services, NO_PROVIDER, ENDPOINT).await
    }

    /// One whose provider is the simulator, on PostgreSQL.
    pub(crate) async fn with_sim(services: &Services, sim: &Sim) -> Result<Self> {
        Self::with(DatabaseKind::Postgres, services, &sim.provider(), &sim.group()).await
    }

    /// Makes the schema, the configuration and a superuser, and starts the server.
    async fn with(kind: DatabaseKind, services: &Services, provider: &str, group: &str) -> Result<Self> {
        ensure!(
            kind == DatabaseKind::Sqlite || services.postgres.is_some(),
            NotHere("SPROUT_TEST_POSTGRES names no server".into())
        );
        let database = EmptyDatabase::new(kind).await?.context("SPROUT_TEST_POSTGRES names no server")?;
        let directory = tempfile::tempdir()?;
        let port = free_port(0)?;
        let on_postgres = kind == DatabaseKind::Postgres;
        let redis = services.redis.as_ref().filter(|_| on_postgres);
        write_config(directory.path(), port, database.url(), redis.map(String::as_str), provider, group)?;
        let postgres = services.postgres_process.clone().filter(|_| on_postgres);
        let redis = services.redis_process.clone().filter(|_| redis.is_some());
        let mut new = Self { database, server: None, workers: Vec::new(), directory, port, postgres, redis };
        new.administer(&["migrate"], "").await?;
        new.administer(&["create-superuser", "--name", "bench", "--password-stdin"], PASSWORD).await?;
        new.start_server().await?;
        Ok(new)
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn start_server(&mut self) -> Result<()> {
        let mut command = Command::new(binary("sprout-server")?);
        command.args(["run", "--config"]).arg(self.config());
        self.server = Some(Process::start("server", &mut command, self.directory.path())?);
        self.connect().await?;
        Ok(())
    }

    /// Ends the server in an orderly way.
    pub(crate) async fn stop_server(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Starts a worker process.
    pub(crate) async fn start_worker(&mut self, id: &str, slots: u32) -> Result<()> {
        let token = self.administer(&["create-worker", id], "").await?;
        let config = self.directory.path().join(format!("{id}.yaml"));
        fs::write(&config, format!("worker: {{server: '{}', id: {id}, slots: {slots}}}\n", self.url()))?;
        let mut command = Command::new(binary("sprout-worker")?);
        command.arg("--config").arg(config).env("SPROUT_WORKER_JOIN_TOKEN", token.trim());
        command.arg("--state-dir").arg(self.directory.path().join("workers"));
        self.workers.push(Process::start(id, &mut command, self.directory.path())?);
        Ok(())
    }

    /// Ends a worker with SIGKILL.
    pub(crate) async fn kill_worker(&mut self, id: &str) -> Result<()> {
        let which = self.workers.iter().position(|worker| worker.name == id).context("no such worker")?;
        self.workers.remove(which).kill().await
    }

    /// A worker inside the load generator, see [`Puppet`].
    pub(crate) async fn puppet(&self) -> Result<Puppet> {
        let token = self.administer(&["create-worker", "puppet"], "").await?;
        let key = rcgen::KeyPair::generate()?;
        let join = JoinRequest {
            join_token: token.trim().to_owned(),
            worker_id: "puppet".into(),
            signing_request: rcgen::CertificateParams::default().serialize_request(&key)?.der().to_vec(),
        };
        let joined = Connection::open(Settings::new(self.url()))?.workers().join(join).await?.into_inner();
        Puppet::connect(Settings { token: Some(joined.credential.into()), ..Settings::new(self.url()) }).await
    }

    /// A connection of its own, signed in, once the server answers.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let anonymous = Connection::open(Settings::new(self.url()))?;
        let login = LoginRequest { name: "bench".into(), password: PASSWORD.into(), lifetime: None };
        let mut tries = 0;
        let token = loop {
            match anonymous.users().login(login.clone()).await {
                Ok(answer) => break answer.into_inner().token,
                Err(status) if tries == 400 => {
                    return Err(status).with_context(|| format!("the server does not answer: {}", self.log("server")));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            tries += 1;
        };
        Ok(Connection::open(Settings { token: Some(token.into()), ..Settings::new(self.url()) })?)
    }

    /// Several connections, as several clients have them.
    pub(crate) async fn connections(&self, count: usize) -> Result<Vec<Connection>> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.connect().await?);
        }
        Ok(all)
    }

    /// Everything that works for it, for the meter.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let own = self.server.iter().chain(&self.workers).map(Process::watched);
        own.chain(self.postgres.clone()).chain(self.redis.clone()).collect()
    }

    /// The end of a process's log.
    pub(crate) fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.directory.path().join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Ends everything in an orderly way.
    pub(crate) async fn stop(mut self) -> Result<()> {
        for worker in self.workers.drain(..) {
            worker.stop().await?;
        }
        self.stop_server().await
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn config(&self) -> std::path::PathBuf {
        self.directory.path().join("sprout.yaml")
    }

    async fn administer(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(binary("sprout-server")?);
        command.args(arguments).arg("--config").arg(self.config());
        output(&mut command, input).await
    }
}

/// As shipped, but for what says where things are: no refilling, and a day between checks of the provider.
fn write_config(dir: &Path, port: u16, database: &str, redis: Option<&str>, provider: &str, group: &str) -> Result<()> {
    let mut text = format!(
        "server:\n  listen: 127.0.0.1:{port}\n  data_dir: {}\n  database: {{url: '{database}'}}\n  check_interval: 24h\n  log: warn\n",
        dir.display()
    );
    if let Some(redis) = redis {
        writeln!(text, "  redis: '{redis}'")?;
    }
    let group = format!("{{template_pattern: 'bench-(?<version>.*)', default_lease: 12h, {group}}}");
    writeln!(text, "  groups:\n    {GROUP}: {group}")?;
    fs::write(dir.join("sprout.yaml"), text)?;
    let providers =
        format!("management_systems:\n  bench:\n    name: Bench\n    use_for_sprout: true\n    {provider}\n");
    Ok(fs::write(dir.join("cfme_data.yaml"), providers)?)
}
