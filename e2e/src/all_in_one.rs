//! What somebody has who tries Sprout out: `sprout`, all in one, and a simulated provider. Needs nothing of the machine.

use std::{fs, path::Path, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection, Settings,
    pool::{self, Goal},
    proto::{
        appliance::{Appliance, ListAppliancesRequest},
        event::{EventKind, WatchRequest, WatchResponse},
        provider::{CheckProviderRequest, GetProviderRequest},
    },
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use tonic::Streaming;

use crate::{
    LONG, Program,
    lab::{PASSWORD, sign_in},
    process::{binary, free_ports, keep_logs, run},
    retry,
};

/// Key of the one provider.
const PROVIDER: &str = "simulated";

/// The processes, and who is signed in.
pub struct AllInOne {
    /// `sprout`.
    pub sprout: Arc<Program>,
    /// A superuser.
    pub client: Connection,
    /// For clients of all kinds.
    pub environment: Vec<(String, String)>,
    /// URL for browsers.
    pub web: String,
    _sim: Arc<Program>,
    directory: tempfile::TempDir,
}

impl AllInOne {
    /// Starts everything and waits until the provider works. `clone_latency`: what the provider takes for a clone. The one group is
    /// [`crate::GROUP`].
    pub async fn start(clone_latency: Duration) -> Result<Self> {
        let groups = format!("  groups:\n    {}:\n      template_pattern: 'sim-(?<version>[0-9.]+)'\n", crate::GROUP);
        let world = Self::with(clone_latency, "sim-1.0=1.0", &groups).await?;
        world.check_provider(1).await?;
        Ok(world)
    }

    /// As [`Self::start`], with these templates of the provider (`NAME=VERSION,…`) and these lines of the section `server`, which end in a group. The
    /// provider is not looked at yet.
    pub async fn with(clone_latency: Duration, templates: &str, section: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("sprout-all-in-one.").tempdir()?;
        let dir = directory.path();
        let ports = free_ports(4)?;
        let (port, sim_port, appliance_port, web) = (ports[0], ports[1], ports[2], ports[3]);
        let (program, state) = (binary("sprout-sim")?, dir.join("sim"));
        let (latency, templates) = (clone_latency.as_millis(), templates.to_owned());
        let sim = Program::start("sim", dir, move || {
            let mut command = Command::new(&program);
            command.args([
                "--listen",
                &format!("127.0.0.1:{sim_port}"),
                "--appliance-port",
                &appliance_port.to_string(),
            ]);
            command.args(["--templates", &templates, "--clone-latency", &latency.to_string(), "--state"]).arg(&state);
            command
        })
        .await?;
        let config = write_config(dir, port, sim_port, web, section)?;
        let program = binary("sprout")?;
        let mut superuser = Command::new(&program);
        superuser.arg("--config").arg(&config).args(["create-superuser", "--name", "admin", "--password-stdin"]);
        let made = run(&mut superuser, PASSWORD).await?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let sprout = Program::start("sprout", dir, move || {
            let mut command = Command::new(&program);
            command.arg("--config").arg(&config).env("RUST_LOG", "info");
            command
        })
        .await?;
        let url = format!("http://127.0.0.1:{port}");
        let token = sign_in(&url).await?.1;
        let client = Connection::open(Settings { token: Some(token.clone().into()), ..Settings::new(&*url) })?;
        let environment = vec![
            ("SPROUT_SERVER".to_owned(), url),
            ("SPROUT_TOKEN".to_owned(), token),
            ("XDG_CONFIG_HOME".to_owned(), dir.display().to_string()),
        ];
        let web = format!("http://127.0.0.1:{web}");
        Ok(Self { sprout, client, environment, web, _sim: sim, directory })
    }

    /// Has the provider looked at, and waits until it works and has so many templates that may be used.
    pub async fn check_provider(&self, templates: u32) -> Result<()> {
        let key = || PROVIDER.to_owned();
        self.client.providers().check_provider(CheckProviderRequest { key: key() }).await?;
        retry("the provider works", async || {
            let provider = self.client.providers().get_provider(GetProviderRequest { key: key() }).await?;
            let provider = provider.into_inner().provider.context("no provider")?;
            ensure!(provider.working && provider.template_count >= templates, "{}", provider.status);
            Ok(())
        })
        .await
    }

    /// A client program of this build, which talks to this server: `sproutctl`, `examples/NAME`.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary(program)?);
        command.args(arguments).envs(self.environment.clone()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// The appliances that are there.
    pub async fn appliances(&self, request: ListAppliancesRequest) -> Result<Vec<Appliance>> {
        Ok(self.client.appliances().list_appliances(request).await?.into_inner().appliances)
    }

    /// Waits until the pool is gone, and nothing else is there either.
    pub async fn until_nothing_is_left(&self, pool: u64) -> Result<()> {
        let gone = pool::wait(&self.client, pool, Goal::Gone, |_| ());
        timeout(LONG, gone).await.context("the pool is never gone")??;
        // Of a pool that failed, something may still be on its way out.
        retry("nothing is left", async || {
            let left = self.appliances(ListAppliancesRequest::default()).await?;
            ensure!(left.is_empty(), "left are {left:?}");
            Ok(())
        })
        .await
    }

    /// All events of a pool from its beginning.
    pub async fn events(&self, pool: u64) -> Result<Events> {
        let request = WatchRequest { after_sequence: Some(0), pool_id: Some(pool), ..WatchRequest::default() };
        Ok(Events(self.client.events().watch(request).await?.into_inner()))
    }

    /// Moves its logs to where they survive.
    pub fn keep_logs(&self) -> String {
        keep_logs(self.directory.path())
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// What happens to one pool.
pub struct Events(Streaming<WatchResponse>);

impl Events {
    /// Waits for the next event of a kind; returns the kinds that came before it.
    pub async fn until(&mut self, kind: EventKind) -> Result<Vec<EventKind>> {
        let mut before = Vec::new();
        loop {
            let message = timeout(LONG, self.0.message()).await.with_context(|| format!("never: {kind:?}"))??;
            let Some(event) = message.context("the watch ended")?.event else { continue };
            if event.kind() == kind {
                return Ok(before);
            }
            before.push(event.kind());
        }
    }
}

/// Sends a signal by name to a program that runs.
pub async fn signal(child: &Child, name: &str) -> Result<()> {
    let id = child.id().context("it has ended")?;
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await?;
    ensure!(sent.success(), "kill -{name} {id} failed");
    Ok(())
}

fn write_config(dir: &Path, port: u16, sim: u16, web: u16, section: &str) -> Result<std::path::PathBuf> {
    let data = dir.join("data");
    let text = format!(
        "server:
  listen: 127.0.0.1:{port}
  data_dir: {data}
{section}      endpoints:
        web: {{port: 80, scheme: http}}
      probes:
        - {{endpoint: web, http: {{path: /version, body_contains: '1.0'}}, deadline: 20s, timeout: 2s}}
web_gateway: {{listen: 127.0.0.1:{web}}}
",
        data = data.display(),
    );
    let providers = format!(
        "management_systems:
  {PROVIDER}:
    type: sim
    use_for_sprout: true
    sprout: {{endpoint: 'http://127.0.0.1:{sim}'}}
"
    );
    fs::write(dir.join("cfme_data.yaml"), providers)?;
    let path = dir.join("sprout.yaml");
    fs::write(&path, text)?;
    Ok(path)
}
