//! One installation: a database, a server, a worker, a provider, a user.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sprout_app::ports::Store as _;
use sprout_client::{
    Connection, Settings,
    proto::{
        event::{Event, EventKind, WatchRequest},
        pool::{GetPoolRequest, Pool, PoolState, RequestPoolRequest},
        provider::{CheckProviderRequest, GetProviderRequest},
        shepherd::{SetShepherdRequest, Shepherd},
        user::LoginRequest,
    },
};
use sprout_test_support::database::{EmptyDatabase, Kind};
use tokio::{process::Command, time::timeout};

use crate::{
    LONG, Provider,
    process::{Supervised, admin, binary, free_ports, run},
};

/// Key of the one provider.
const PROVIDER: &str = "lab";
/// Name of the one group.
const GROUP: &str = "demo";
/// Of the superuser.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// What differs between labs.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// Crash points of server and worker; each fires once.
    pub crash_at: Vec<String>,
    /// They fire only when they are armed.
    pub crash_later: bool,
    /// Appliances to keep warm.
    pub warm: u32,
    /// Rule for the templates, instead of the provider's usual one.
    pub template_pattern: Option<String>,
    /// More lines of the group.
    pub group: Vec<String>,
    /// Lines of `credentials.yaml`.
    pub credentials: Vec<String>,
}

/// Where a process can be killed around a step: the worker before it acts and after it did; the server when it has given the step out, when it
/// has the result, and when that is committed.
pub fn crash_points(step: &str) -> [String; 5] {
    let at = ["server.*.assigned", "worker.*.before", "worker.*.after", "server.*.before", "server.*.after"];
    at.map(|point| point.replace('*', step))
}

/// A running installation.
pub struct Lab {
    /// Where its appliances are.
    pub provider: Provider,
    /// Id of the installation, in its tags.
    pub installation: String,
    /// Signed in as a superuser.
    pub client: Connection,
    /// The server.
    pub server: Supervised,
    /// The worker.
    pub worker: Supervised,
    /// Environment for `sproutctl`.
    pub environment: Vec<(String, String)>,
    warm: u32,
    directory: tempfile::TempDir,
    _database: EmptyDatabase,
}

impl Lab {
    /// Starts everything and waits until the provider was checked; none if the database is not to be had.
    pub async fn start(kind: Kind, provider: Provider, options: LabOptions) -> Result<Option<Self>> {
        let Some(database) = EmptyDatabase::new(kind).await? else { return Ok(None) };
        let directory = tempfile::tempdir()?;
        let port = free_ports(1)?[0];
        let config = write_config(directory.path(), port, database.url(), &provider, &options)?;
        admin(&config, &["migrate"], "").await?;
        admin(&config, &["create-superuser", "--name", "admin", "--password-stdin"], PASSWORD).await?;
        let token = admin(&config, &["create-worker", "lab-1"], "").await?;
        fs::write(directory.path().join("worker.join"), token.trim())?;
        let store = sprout_store::SeaStore::open(&database.options()).await?;
        let installation = store.installation_id().await?;

        let once = directory.path().join("crashed");
        fs::create_dir(&once)?;
        // A point that has its file there has fired.
        for point in options.crash_at.iter().filter(|_| options.crash_later) {
            fs::write(once.join(point), "")?;
        }
        let crash = vec![
            ("SPROUT_CRASH_AT".to_owned(), options.crash_at.join(",")),
            ("SPROUT_CRASH_ONCE_DIR".to_owned(), once.display().to_string()),
            ("RUST_LOG".to_owned(), "info".to_owned()),
        ];
        let (server_binary, worker_binary) = (binary("sprout-server")?, binary("sprout-worker")?);
        let (server_config, server_crash) = (config.clone(), crash.clone());
        let server = Supervised::start("server", directory.path(), move || {
            let mut command = Command::new(&server_binary);
            command.args(["run", "--config"]).arg(&server_config).envs(server_crash.clone());
            command
        })?;
        let worker_config = config.clone();
        let worker = Supervised::start("worker", directory.path(), move || {
            let mut command = Command::new(&worker_binary);
            command.arg("--config").arg(&worker_config).envs(crash.clone());
            command
        })?;

        let url = format!("http://127.0.0.1:{port}");
        let client = sign_in(&url).await?;
        let token = client.1;
        let environment = vec![
            ("SPROUT_SERVER".to_owned(), url),
            ("SPROUT_TOKEN".to_owned(), token),
            ("XDG_CONFIG_HOME".to_owned(), directory.path().display().to_string()),
        ];
        let lab = Self {
            provider,
            installation,
            client: client.0,
            server,
            worker,
            environment,
            warm: options.warm,
            directory,
            _database: database,
        };
        lab.check_provider().await?;
        keep_warm(&lab.client, GROUP, options.warm).await?;
        Ok(Some(lab))
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Crash points that fired.
    pub fn crashed(&self) -> Result<Vec<String>> {
        let names = fs::read_dir(self.directory.path().join("crashed"))?;
        names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// Lets a crash point fire once, or once more.
    pub fn arm(&self, point: &str) -> Result<()> {
        Ok(fs::remove_file(self.directory.path().join("crashed").join(point))?)
    }

    /// Lets a crash point fire no more; whether it has fired since it was armed.
    pub fn disarm(&self, point: &str) -> Result<bool> {
        match fs::File::create_new(self.directory.path().join("crashed").join(point)) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the provider checked, and waits until it works.
    pub async fn check_provider(&self) -> Result<()> {
        let key = || PROVIDER.to_owned();
        self.retry(async || Ok(self.client.providers().check_provider(CheckProviderRequest { key: key() }).await?))
            .await?;
        self.until("the provider works", async || {
            let provider =
                self.client.providers().get_provider(GetProviderRequest { key: key() }).await?.into_inner().provider;
            let provider = provider.context("no provider")?;
            ensure!(provider.working && provider.template_count > 0, "{}", provider.status);
            Ok(())
        })
        .await
    }

    /// Requests a pool, again and again with the same request id until a server answers.
    pub async fn request(&self, count: u32, lease: Option<Duration>) -> Result<Pool> {
        let request = RequestPoolRequest {
            request_id: uuid::Uuid::new_v4().to_string(),
            group: GROUP.into(),
            count,
            lease: lease.map(|lease| prost_types::Duration { seconds: lease.as_secs().cast_signed(), nanos: 0 }),
            ..RequestPoolRequest::default()
        };
        let answer = self.retry(async || Ok(self.client.pools().request_pool(request.clone()).await?)).await?;
        answer.into_inner().pool.context("no pool")
    }

    /// The pool now.
    pub async fn pool(&self, id: u64) -> Result<Pool> {
        let answer = self.retry(async || Ok(self.client.pools().get_pool(GetPoolRequest { id }).await?)).await?;
        answer.into_inner().pool.context("no pool")
    }

    /// Waits until the pool is in this state.
    pub async fn until_pool(&self, id: u64, state: PoolState) -> Result<Pool> {
        self.until(&format!("pool {id} is {state:?}"), async || {
            let pool =
                self.client.pools().get_pool(GetPoolRequest { id }).await?.into_inner().pool.context("no pool")?;
            ensure!(pool.state() == state, "it is {:?} ({} %): {}", pool.state(), pool.progress_percent, pool.status);
            Ok(pool)
        })
        .await
    }

    /// All events so far about a pool.
    pub async fn events(&self, pool: u64) -> Result<Vec<Event>> {
        let request = WatchRequest { after_sequence: Some(0), pool_id: Some(pool), ..WatchRequest::default() };
        let mut stream = self.client.events().watch(request).await?.into_inner();
        let mut events = Vec::new();
        loop {
            let message = timeout(LONG, stream.message()).await??.context("the watch ended")?;
            let Some(event) = message.event else { continue };
            let last = event.kind() == EventKind::PoolState && event.state.as_deref() == Some("ended");
            events.push(event);
            if last {
                return Ok(events);
            }
        }
    }

    /// Runs `sproutctl` as the signed-in user.
    pub async fn sproutctl(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(binary("sproutctl")?);
        command.args(arguments).envs(self.environment.clone());
        run(&mut command, "").await
    }

    /// Repeats a call until it succeeds; what servers say while they are down does not count.
    pub async fn retry<T>(&self, call: impl AsyncFn() -> Result<T>) -> Result<T> {
        self.until("the server answers", call).await
    }

    /// Repeats a look until it finds what is expected, or says what it found last.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut last = anyhow::anyhow!("nothing was seen");
        let waited = timeout(LONG, async {
            loop {
                match timeout(Duration::from_secs(10), look()).await {
                    Ok(Ok(found)) => return Some(found),
                    Ok(Err(error)) => last = error,
                    Err(_) => last = anyhow::anyhow!("a look took too long"),
                }
                if self.server.ended() || self.worker.ended() {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        match waited {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(last.context(format!("server or worker ended by itself before this was so: {what}"))),
            Err(_) => Err(last.context(format!("never: {what}"))),
        }
    }

    /// Waits until nothing of this installation is on the provider.
    pub async fn until_nothing_is_left(&self) -> Result<()> {
        self.until("nothing is left on the provider", async || {
            let left = self.provider.ours(&self.installation).await?;
            let names: Vec<_> = left.iter().map(|instance| instance.name.as_str()).collect();
            ensure!(names.is_empty(), "left: {}", names.join(", "));
            Ok(())
        })
        .await
    }

    /// Ends the processes in an orderly way; nothing of this installation may be left on the provider, but for what it was told to keep warm.
    pub async fn stop(self) -> Result<()> {
        if self.warm == 0 {
            self.until_nothing_is_left().await?;
        }
        self.worker.stop().await?;
        self.server.stop().await?;
        for instance in self.provider.ours(&self.installation).await? {
            self.provider.driver().delete(&instance.name, &instance.tags.context("tags")?).await?;
        }
        Ok(())
    }
}

/// Has so many appliances kept warm for everyone.
pub(crate) async fn keep_warm(client: &Connection, group: &str, count: u32) -> Result<()> {
    if count > 0 {
        let shepherd = Shepherd { group: group.to_owned(), preconfigured: count, ..Shepherd::default() };
        client.shepherds().set_shepherd(SetShepherdRequest { shepherd: Some(shepherd) }).await?;
    }
    Ok(())
}

pub(crate) async fn sign_in(url: &str) -> Result<(Connection, String)> {
    let anonymous = Connection::open(Settings::new(url))?;
    let login = LoginRequest { name: "admin".into(), password: PASSWORD.into(), lifetime: None };
    let answer = timeout(LONG, async {
        loop {
            match anonymous.users().login(login.clone()).await {
                Ok(answer) => return answer.into_inner(),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await, // not up yet
            }
        }
    })
    .await
    .context("the server never came up")?;
    let settings = Settings { token: Some(answer.token.clone().into()), ..Settings::new(url) };
    Ok((Connection::open(settings)?, answer.token))
}

fn write_config(dir: &Path, port: u16, database: &str, provider: &Provider, options: &LabOptions) -> Result<PathBuf> {
    let sprout = format!(
        "server:
  listen: 127.0.0.1:{port}
  data_dir: {dir}
  database: {{url: '{database}'}}
  groups:
    {GROUP}:
      template_pattern: '{pattern}'
{more}      endpoints:
        web: {{port: 80, scheme: http}}{ssh}
      probes:
        - {{endpoint: web, http: {{path: /version, statuses: [200], body_contains: '1.0.0'}}, deadline: 3m, timeout: 5s}}
worker:
  server: http://127.0.0.1:{port}
  id: lab-1
  join_token_file: {dir}/worker.join
  state_dir: {dir}/worker
",
        dir = dir.display(),
        more = options.group.iter().fold(String::new(), |all, line| all + "      " + line + "\n"),
        // Containers of the demo have none.
        ssh = if options.credentials.is_empty() { "" } else { "\n        ssh: {port: 22}" },
        pattern = options.template_pattern.as_ref().unwrap_or(&provider.template_pattern),
    );
    let settings = provider.settings.join(
        "
      ",
    );
    let providers = format!(
        "management_systems:\n  {PROVIDER}:\n    name: The lab\n    type: {}\n    use_for_sprout: true\n    sprout:\n      {settings}\n",
        provider.driver_type()
    );
    fs::write(dir.join("cfme_data.yaml"), providers)?;
    if !options.credentials.is_empty() {
        fs::write(dir.join("credentials.yaml"), options.credentials.join("\n") + "\n")?;
    }
    let path = dir.join("sprout.yaml");
    fs::write(&path, sprout)?;
    Ok(path)
}
