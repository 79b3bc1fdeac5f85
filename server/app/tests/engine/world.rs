//! An engine with one group, one provider and its template, and a worker that does what a test tells it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{
    App, Assignment, LocalBus, Outcome, PoolView, TaskKey,
    ports::{
        ApplianceChange, FoundTemplate, LogOf, LogStore, NewAppliance, Ports, Store as _, TemplateFilter, WorkerHello,
    },
};
use sprout_domain::{
    Catalogue, PoolId, Result, Secret, WorkerId,
    appliance::{ApplianceState, PowerState},
    dispatch::FreeWorker,
    group::{Group, TemplatePattern},
    pool::PoolRequest,
    preparation::Preparation,
    provider::{ProviderSettings, ProviderSpec},
    template::Said,
    user::{Role, User},
    version::Version,
    worker::Slots,
    workflow::{StepError, StepErrorReason, StepKind, StepOutput},
};
use sprout_test_support::database::TestDatabase;
use tokio::sync::watch;

/// Drivers of every worker here.
pub(crate) const DRIVER: &str = "container";
/// A test that waits longer has found something that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The engine, and someone who uses it.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) user: User,
    /// Gone when dropped.
    pub(crate) database: TestDatabase,
}

/// Tests of the engine read no logs.
struct NoLogs(watch::Sender<u64>);

#[async_trait]
impl LogStore for NoLogs {
    async fn append(&self, _: &LogOf, _: Vec<String>) {}

    async fn read(&self, _: &LogOf, position: u64, _: usize) -> Result<(Vec<String>, u64)> {
        Ok((Vec::new(), position))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl World {
    pub(crate) async fn new(database: TestDatabase) -> anyhow::Result<Self> {
        Self::with_providers(database, &[("lab", 100)]).await
    }

    /// As [`Self::new`], with these providers and so many slots on each; "lab" is among them, and the only one with a template.
    pub(crate) async fn with_providers(database: TestDatabase, providers: &[(&str, u32)]) -> anyhow::Result<Self> {
        let app = server(&database, catalogue(providers)?).await?;
        let user = app.create_user("ann", Secret::new("correct horse"), Role::User).await?;
        app.create_user_group(&user, "testers", vec!["ann".to_owned()], vec!["lab".into()]).await?;
        let found = FoundTemplate {
            name: "app-1.0".to_owned(),
            group: "app".into(),
            version: Version::new("1.0"),
            date: TemplatePattern::new("app-(?<version>.*)")?.read("app-1.0").unwrap().1,
            said: Said::default(),
        };
        let mut tx = database.store().write().await?;
        tx.sync_templates(&"lab".into(), &[found]).await?;
        tx.set_checked(&"lab".into(), true, "fine").await?;
        tx.commit().await?;
        Ok(Self { app, user, database })
    }

    pub(crate) async fn request(&self, count: u32, lease: Duration) -> Result<PoolId> {
        let request =
            PoolRequest { lease: Some(lease), ..PoolRequest::new(format!("{:x}", fastrand::u64(..)), "app", count) };
        Ok(self.app.request_pool(&self.user, request).await?.view.pool.id)
    }

    /// Makes this many warm appliances.
    pub(crate) async fn warm(&self, count: usize) -> Result<()> {
        let mut tx = self.database.store().write().await?;
        let template = tx.templates(&TemplateFilter::default()).await?.remove(0);
        let new = |n: usize| NewAppliance {
            name: format!("warm-{n}"),
            template: template.clone(),
            pool_id: None,
            memory_mib: None,
            cpus: None,
            user_group_id: None,
            prepares: None,
        };
        let made = tx.insert_appliances((0..count).map(new).collect()).await?;
        let ids: Vec<_> = made.iter().map(|appliance| appliance.id).collect();
        tx.change_appliances(
            &ids,
            &ApplianceChange { state: Some(ApplianceState::Ready), ..ApplianceChange::default() },
        )
        .await?;
        tx.commit().await
    }

    /// Another server on the same database.
    pub(crate) async fn another_server(&self) -> anyhow::Result<Arc<App>> {
        server(&self.database, (*self.app.catalogue()).clone()).await
    }

    pub(crate) async fn pool(&self, id: PoolId) -> Result<PoolView> {
        self.app.pool(&self.user, id).await
    }

    /// A session of a worker that runs what it says it runs.
    pub(crate) async fn worker(&self, id: &str, running: &[TaskKey]) -> Result<Worker> {
        let session = format!("{:016x}", fastrand::u64(..));
        let slots = Slots { shared: 100, ..Slots::default() };
        self.app.worker_connected(&hello(id, slots.clone()), &session, running).await?;
        Ok(Worker { app: self.app.clone(), id: id.into(), session, slots })
    }
}

/// One session of a worker.
pub(crate) struct Worker {
    pub(crate) app: Arc<App>,
    pub(crate) id: WorkerId,
    pub(crate) session: String,
    /// Its room, however much it runs.
    pub(crate) slots: Slots,
}

/// What a worker with so much room says of itself.
pub(crate) fn hello(id: &str, slots: Slots) -> WorkerHello {
    WorkerHello {
        id: id.into(),
        version: "1".to_owned(),
        drivers: vec![DRIVER.to_owned()],
        slots,
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        leaving: false,
    }
}

impl Worker {
    pub(crate) async fn claim(&self) -> Result<Vec<Assignment>> {
        self.app.claim_tasks(&[self.free()]).await
    }

    pub(crate) fn free(&self) -> FreeWorker {
        let drivers = vec![DRIVER.to_owned()];
        FreeWorker { id: self.id.clone(), session: self.session.clone(), drivers, room: self.slots.clone() }
    }

    pub(crate) async fn finish(&self, task: TaskKey, outcome: Outcome) -> Result<bool> {
        self.app.finish_task(&self.id, task, outcome).await
    }

    /// Takes and ends steps well until there are none.
    pub(crate) async fn work(&self) -> Result<Vec<StepKind>> {
        let mut steps = Vec::new();
        loop {
            let claimed = self.claim().await?;
            if claimed.is_empty() {
                return Ok(steps);
            }
            for assignment in claimed {
                steps.push(assignment.task.step);
                assert!(self.finish(key(&assignment), well(assignment.task.step)).await?);
            }
        }
    }
}

pub(crate) fn key(assignment: &Assignment) -> TaskKey {
    TaskKey { id: assignment.task.id, epoch: assignment.task.epoch }
}

/// What a step that went well says.
#[expect(clippy::unnecessary_wraps, reason = "it is one of two outcomes")]
pub(crate) fn well(step: StepKind) -> Outcome {
    Ok(match step {
        StepKind::WaitAddress => StepOutput::Observed {
            provider_ref: "ref".to_owned(),
            power: PowerState::On,
            address: Some("192.0.2.1".to_owned()),
            endpoints: Vec::new(),
            console_url: None,
        },
        _ => StepOutput::Empty,
    })
}

/// What a step that went wrong says.
pub(crate) fn badly(reason: StepErrorReason) -> Outcome {
    Err(StepError { reason, message: "as the test wants".to_owned() })
}

/// A server on this database.
pub(crate) async fn server(database: &TestDatabase, catalogue: Catalogue) -> anyhow::Result<Arc<App>> {
    let logs = Arc::new(NoLogs(watch::Sender::new(0)));
    let ports = Ports { store: database.store(), bus: Arc::new(LocalBus::default()), logs };
    Ok(App::new(ports, catalogue).await?)
}

fn catalogue(providers: &[(&str, u32)]) -> anyhow::Result<Catalogue> {
    let group = Group {
        name: "app".into(),
        pattern: Some(TemplatePattern::new("app-(?<version>.*)")?),
        default_lease: Duration::from_secs(3600),
        max_lease: Duration::from_secs(7200),
        reminders: vec![Duration::from_secs(600)],
        quarantine_failures: 3,
        deploy_limit: std::time::Duration::from_secs(3600),
        template_obsolete_days: None,
        template_obsolete_days_delete: None,
        proof_limit: Duration::from_secs(3600),
        endpoints: Vec::new(),
        probes: Vec::new(),
        preparation: Preparation::default(),
    };
    Ok(Catalogue {
        groups: [(group.name.clone(), group)].into(),
        providers: providers.iter().map(|(key, slots)| ((*key).into(), spec(key, *slots))).collect(),
        ..Catalogue::default()
    })
}

/// A provider with so many slots.
pub(crate) fn spec(key: &str, slots: u32) -> ProviderSpec {
    ProviderSpec {
        key: key.into(),
        name: key.to_owned(),
        provisioning_limit: slots,
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
    }
}
