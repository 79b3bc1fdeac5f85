//! An installation to measure: a database filled with warm appliances, and a real server process on it.
//!
//! The appliances are rows that no provider backs: a checkout touches none, and what is measured is the control plane.

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use sprout_app::{
    App, LocalBus,
    ports::{ApplianceChange, FoundTemplate, LogOf, LogStore, NewAppliance, Ports, Store as _, TemplateFilter},
};
use sprout_client::{Connection, Settings, proto::user::LoginRequest};
use sprout_domain::{
    Catalogue, Secret,
    appliance::ApplianceState,
    provider::{ProviderSettings, ProviderSpec},
    user::Role,
    version::Version,
};
use sprout_store::{SeaStore, StoreOptions, migrate};
use tokio::{
    process::{Child, Command},
    sync::watch,
};

const PASSWORD: &str = "correct horse battery";

/// A running server with warm appliances, and a connection to it.
pub(crate) struct Installation {
    pub(crate) client: Connection,
    _server: Child,
    _directory: tempfile::TempDir,
}

impl Installation {
    /// Fills the (empty) database behind the URL and starts `sprout-server` on it.
    pub(crate) async fn start(url: &str, warm: u32) -> Result<Self> {
        let options = StoreOptions::new(Secret::new(url));
        migrate(&options).await?;
        fill(&options, warm).await?;
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = directory.path().join("sprout.yaml");
        let text = format!(
            "server:\n  listen: 127.0.0.1:{port}\n  data_dir: {}\n  database: {{url: '{url}'}}\n  check_interval: 24h\n  \
             groups:\n    bench: {{template_pattern: 'bench-(?<version>.*)'}}\n",
            directory.path().display()
        );
        std::fs::write(&config, text)?;
        let providers =
            "management_systems:\n  bench: {name: Bench, type: container, use_for_sprout: true, sprout: {}}\n";
        std::fs::write(directory.path().join("cfme_data.yaml"), providers)?;
        let log = std::fs::File::create(directory.path().join("server.log"))?;
        let server = Command::new(binary("sprout-server")?)
            .args(["run", "--config"])
            .arg(&config)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let client = sign_in(&format!("http://127.0.0.1:{port}")).await?;
        Ok(Self { client, _server: server, _directory: directory })
    }
}

/// A binary of the same build.
fn binary(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(path.is_file(), "{} is not built", path.display());
    Ok(path)
}

async fn sign_in(url: &str) -> Result<Connection> {
    let anonymous = Connection::open(Settings::new(url))?;
    let login = LoginRequest { name: "bench".into(), password: PASSWORD.into(), lifetime: None };
    let mut tries = 0;
    let token = loop {
        match anonymous.users().login(login.clone()).await {
            Ok(answer) => break answer.into_inner().token,
            Err(status) if tries == 200 => return Err(status).context("the server did not come up"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        tries += 1;
    };
    Ok(Connection::open(Settings { token: Some(token.into()), ..Settings::new(url) })?)
}

async fn fill(options: &StoreOptions, warm: u32) -> Result<()> {
    let store = Arc::new(SeaStore::open(options).await?);
    let ports = Ports {
        store: store.clone(),
        bus: Arc::new(LocalBus::default()),
        logs: Arc::new(NoLogs(watch::Sender::new(0))),
    };
    let spec = ProviderSpec {
        key: "bench".into(),
        name: "Bench".into(),
        provisioning_limit: 5,
        appliance_limit: None,
        disabled: false,
        settings: ProviderSettings::Container {
            socket: String::new(),
            publish_address: String::new(),
            memory_mib: 0,
            cpus: 0,
        },
    };
    let catalogue = Catalogue { providers: [(spec.key.clone(), spec)].into(), ..Catalogue::default() };
    let app = App::new(ports, catalogue).await?;
    app.create_user("bench", Secret::new(PASSWORD), Role::User).await?;
    let mut tx = store.write().await?;
    let found = FoundTemplate {
        name: "bench-1.0".into(),
        group: "bench".into(),
        version: Version::new("1.0"),
        date: sprout_domain::template::BuildDate::default(),
    };
    tx.sync_templates(&"bench".into(), &[found]).await?;
    tx.set_checked(&"bench".into(), true, "for the benchmark").await?;
    let template = tx.templates(&TemplateFilter::default()).await?.pop().context("a template")?;
    let new = |n| NewAppliance {
        name: format!("bench-{n}"),
        template: template.clone(),
        pool_id: None,
        memory_mib: None,
        cpus: None,
    };
    let ids: Vec<_> = tx.insert_appliances((0..warm).map(new).collect()).await?.into_iter().map(|a| a.id).collect();
    let ready = ApplianceChange {
        state: Some(ApplianceState::Ready),
        address: Some("192.0.2.1".into()),
        ..ApplianceChange::default()
    };
    tx.change_appliances(&ids, &ready).await?;
    tx.commit().await?;
    store.close().await;
    Ok(())
}

/// Nothing is logged while the database is filled.
struct NoLogs(watch::Sender<u64>);

#[async_trait::async_trait]
impl LogStore for NoLogs {
    async fn append(&self, _: &LogOf, _: Vec<String>) {}

    async fn read(&self, _: &LogOf, position: u64, _: usize) -> sprout_domain::Result<(Vec<String>, u64)> {
        Ok((Vec::new(), position))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
