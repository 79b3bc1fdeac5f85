//! A served API with users, a worker, two groups and three providers, and clients of it.

mod logs;

use std::{future::Future, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};
use sprout_api::{Drain, Forwarders, SessionHandler, SessionRequests, SessionResponses};
use sprout_app::{
    App, LocalBus,
    ports::{FoundTemplate, NewToken, Ports, Store as _, TokenOwner},
};
use sprout_domain::{
    Catalogue, Secret, WorkerId,
    group::{EndpointSpec, Group, Probe, ProbeCheck, TemplatePattern},
    provider::{ProviderSettings, ProviderSpec},
    user::{Role, User},
    version::Version,
};
use sprout_proto::{
    appliance::appliance_service_client::ApplianceServiceClient,
    event::event_service_client::EventServiceClient,
    pool::{Pool, RequestPoolRequest, pool_service_client::PoolServiceClient},
    provider::provider_service_client::ProviderServiceClient,
    task::task_service_client::TaskServiceClient,
    template::template_service_client::TemplateServiceClient,
    user::user_service_client::UserServiceClient,
    worker::{SessionResponse, Welcome, session_response::Message, worker_service_client::WorkerServiceClient},
    workflow::workflow_service_client::WorkflowServiceClient,
};
use sprout_test_support::database::TestDatabase;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Server},
};
use tonic_types::StatusExt as _;

pub(crate) use self::logs::MemoryLogs;

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const VERSION: &str = "1.2.3-test";

/// A served API. Dropped, it is gone.
pub(crate) struct Served {
    pub(crate) app: Arc<App>,
    pub(crate) logs: Arc<MemoryLogs>,
    pub(crate) drain: Drain,
    pub(crate) channel: Channel,
    url: String,
    pub(crate) database: TestDatabase,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Sends a token with each call.
#[derive(Clone)]
pub(crate) struct Bearer(pub(crate) Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value = MetadataValue::try_from(format!("Bearer {token}"));
            request.metadata_mut().insert("authorization", value.map_err(|e| Status::internal(e.to_string()))?);
        }
        Ok(request)
    }
}

pub(crate) type Connection = InterceptedService<Channel, Bearer>;

/// What staff run the service with.
pub(crate) struct Staff {
    pub(crate) tasks: TaskServiceClient<Connection>,
    pub(crate) workflows: WorkflowServiceClient<Connection>,
    pub(crate) workers: WorkerServiceClient<Connection>,
    pub(crate) providers: ProviderServiceClient<Connection>,
}

impl Served {
    /// Serves on a free port. Users ann and ben, staff stan, superuser sue, all with [`PASSWORD`].
    pub(crate) async fn new(database: TestDatabase) -> anyhow::Result<Self> {
        let logs = Arc::new(MemoryLogs::default());
        let ports = Ports { store: database.store(), bus: Arc::new(LocalBus::default()), logs: logs.clone() };
        let app = App::new(ports, catalogue()).await?;
        for (name, role) in [("ann", Role::User), ("ben", Role::User), ("stan", Role::Staff), ("sue", Role::Superuser)]
        {
            let user = app.create_user(name, Secret::new(PASSWORD), role).await?;
            if role == Role::Superuser {
                let members = ["ann", "ben"].map(str::to_owned).into();
                app.create_user_group(&user, "testers", members, vec!["lab".into(), "broken".into()]).await?;
            }
        }
        find_templates(&database, &["1.0", "1.1", "1.9", "1.10"]).await?;
        let api = sprout_api::api(app.clone(), Greeter, VERSION, Forwarders::default()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = Server::builder().add_routes(api.routes).serve_with_incoming(TcpListenerStream::new(listener));
        let feed = app.feed().clone();
        let tasks =
            vec![tokio::spawn(async move { drop(serving.await) }), tokio::spawn(async move { feed.run().await })];
        let url = format!("http://{address}");
        let channel = Channel::from_shared(url.clone())?.connect().await?;
        Ok(Self { app, logs, drain: api.drain, channel, url, database, tasks })
    }

    /// A user by name.
    pub(crate) async fn user(&self, name: &str) -> anyhow::Result<User> {
        let found = self.database.store().read().await?.user_by_name(name).await?;
        found.map(|(user, _)| user).ok_or_else(|| anyhow::anyhow!("there is no user {name}"))
    }

    /// A fresh token of a user.
    pub(crate) async fn token(&self, name: &str) -> anyhow::Result<String> {
        self.token_of(TokenOwner::User(self.user(name).await?.id)).await
    }

    /// A fresh token, made without a password, which takes long to verify.
    pub(crate) async fn token_of(&self, owner: TokenOwner) -> anyhow::Result<String> {
        let token = format!("spr_{}", uuid::Uuid::new_v4());
        let hash = format!("{:x}", Sha256::digest(&token));
        let mut tx = self.database.store().write().await?;
        tx.insert_token(NewToken {
            hash,
            owner,
            name: "test".to_owned(),
            scope: sprout_domain::token::TokenScope::Full,
            expires_at: None,
        })
        .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// A connection of a user; of nobody without a name.
    pub(crate) async fn of(&self, name: &str) -> anyhow::Result<Connection> {
        Ok(self.with_token(Some(self.token(name).await?)))
    }

    pub(crate) fn with_token(&self, token: Option<String>) -> Connection {
        InterceptedService::new(self.channel.clone(), Bearer(token))
    }

    pub(crate) async fn pools(&self, name: &str) -> anyhow::Result<PoolServiceClient<Connection>> {
        Ok(PoolServiceClient::new(self.of(name).await?))
    }

    pub(crate) async fn appliances(&self, name: &str) -> anyhow::Result<ApplianceServiceClient<Connection>> {
        Ok(ApplianceServiceClient::new(self.of(name).await?))
    }

    pub(crate) async fn events(&self, name: &str) -> anyhow::Result<EventServiceClient<Connection>> {
        Ok(EventServiceClient::new(self.of(name).await?))
    }

    /// Events, on a connection of their own.
    pub(crate) async fn another_connection(&self, name: &str) -> anyhow::Result<EventServiceClient<Connection>> {
        let channel = Channel::from_shared(self.url.clone())?.connect().await?;
        let bearer = Bearer(Some(self.token(name).await?));
        Ok(EventServiceClient::new(InterceptedService::new(channel, bearer)))
    }

    pub(crate) async fn templates(&self, name: &str) -> anyhow::Result<TemplateServiceClient<Connection>> {
        Ok(TemplateServiceClient::new(self.of(name).await?))
    }

    /// Staff's clients of tasks, workflows, workers and providers.
    pub(crate) async fn staff(&self) -> anyhow::Result<Staff> {
        let connection = self.of("stan").await?;
        Ok(Staff {
            tasks: TaskServiceClient::new(connection.clone()),
            workflows: WorkflowServiceClient::new(connection.clone()),
            workers: WorkerServiceClient::new(connection.clone()),
            providers: ProviderServiceClient::new(connection),
        })
    }

    pub(crate) fn users(&self, token: Option<String>) -> UserServiceClient<Connection> {
        UserServiceClient::new(self.with_token(token))
    }

    /// A pool of one appliance, requested by this user; nothing deploys it.
    pub(crate) async fn pool(&self, name: &str) -> anyhow::Result<Pool> {
        let answer = self.pools(name).await?.request_pool(wanted()).await?.into_inner();
        answer.pool.ok_or_else(|| anyhow::anyhow!("no pool in the answer"))
    }
}

/// A request that can be served.
pub(crate) fn wanted() -> RequestPoolRequest {
    RequestPoolRequest {
        request_id: uuid::Uuid::new_v4().to_string(),
        group: "app".to_owned(),
        count: 1,
        ..RequestPoolRequest::default()
    }
}

/// Makes the templates of provider `lab` be exactly these versions.
pub(crate) async fn find_templates(database: &TestDatabase, versions: &[&str]) -> anyhow::Result<()> {
    let found: Vec<_> = versions
        .iter()
        .map(|version| FoundTemplate {
            name: format!("app-{version}"),
            group: "app".into(),
            version: Version::new(*version),
            date: sprout_domain::template::BuildDate::default(),
            said: sprout_domain::template::Said::default(),
        })
        .collect();
    let mut tx = database.store().write().await?;
    tx.sync_templates(&"lab".into(), &found).await?;
    tx.set_checked(&"lab".into(), true, "works").await?;
    tx.set_checked(&"broken".into(), false, "connection refused").await?;
    tx.commit().await?;
    Ok(())
}

fn catalogue() -> Catalogue {
    let group = |name: &str| Group {
        name: name.into(),
        pattern: TemplatePattern::new(&format!("{name}-(?<version>[0-9.]+)")).ok(),
        default_lease: Duration::from_secs(3600),
        max_lease: Duration::from_secs(86_400),
        reminders: vec![Duration::from_secs(600)],
        quarantine_failures: 3,
        deploy_limit: std::time::Duration::from_secs(3600),
        template_obsolete_days: None,
        template_obsolete_days_delete: None,
        proof_limit: Duration::from_secs(3600),
        endpoints: vec![EndpointSpec { name: "web".to_owned(), port: 80, scheme: Some("http".to_owned()) }],
        probes: vec![Probe {
            endpoint: "web".to_owned(),
            deadline: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
            check: ProbeCheck::Tcp,
        }],
        preparation: sprout_domain::preparation::Preparation::default(),
    };
    let provider = |key: &str| ProviderSpec {
        key: key.into(),
        name: format!("The {key}"),
        provisioning_limit: 5,
        appliance_limit: None,
        memory_limit_mib: None,
        cpu_limit: None,
        circuit_failures: 5,
        configuring_limit: 1,
        template_name_limit: None,
        container_base_template: None,
        disabled: false,
        settings: ProviderSettings::Container {
            socket: "unix:///nowhere".to_owned(),
            publish_address: "127.0.0.1".to_owned(),
            memory_mib: 0,
            cpus: 0,
        },
    };
    Catalogue {
        groups: ["app", "none"].into_iter().map(|name| (name.into(), group(name))).collect(),
        providers: ["lab", "broken"].into_iter().map(|key| (key.into(), provider(key))).collect(),
        ..Catalogue::default()
    }
}

/// Tells each worker who it is and ends.
pub(crate) struct Greeter;

#[tonic::async_trait]
impl SessionHandler for Greeter {
    async fn session(&self, worker: WorkerId, _: SessionRequests) -> Result<SessionResponses, Status> {
        let welcome = Welcome { server_version: worker.0, ..Welcome::default() };
        let message = SessionResponse { message: Some(Message::Welcome(welcome)) };
        Ok(Box::pin(tokio_stream::once(Ok(message))))
    }
}

/// The name of the reason a status carries.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// Asserts that a call was refused with this code, this reason and these words.
#[track_caller]
pub(crate) fn assert_refused<T>(result: Result<T, Status>, code: Code, why: &str, words: &str) -> Status {
    let Err(status) = result else { panic!("was not refused, but should be with {why}") };
    assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    assert!(status.message().contains(words), "{:?} lacks {words:?}", status.message());
    status
}

/// The field a status complains about.
pub(crate) fn field(status: &Status) -> String {
    let details = status.get_error_details();
    details.bad_request().map(|bad| bad.field_violations[0].field.clone()).unwrap_or_default()
}

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .map_err(|_| anyhow::anyhow!("did not happen within 20 seconds"))
}

/// As [`soon`], for what is much to do.
pub(crate) async fn patiently<T>(what: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(Duration::from_secs(100), what)
        .await
        .map_err(|_| anyhow::anyhow!("did not happen within 100 seconds"))
}
