//! The use cases of Sprout, one file per noun, and the ports they need. Knows no wire format, no SQL and no provider.

mod appliance;
mod appliance_watch;
mod audit;
mod authority;
mod batch;
mod bus;
mod catalogue_sync;
mod cleanup;
mod configuration;
mod event;
mod explain;
mod finish;
mod grant;
mod group;
mod hold;
mod job;
mod join;
mod kill;
mod late;
mod leader;
mod lease;
mod legacy;
pub mod log;
mod machine;
mod machine_order;
mod name;
mod operate;
mod pool;
mod pool_change;
mod pool_kill;
pub mod ports;
mod preparation;
mod prove;
mod provider;
mod queue;
mod refresh;
mod request;
mod served;
mod shepherd;
mod stall;
mod stats;
mod task;
mod task_list;
mod template;
mod template_delete;
mod template_plan;
mod timeline;
mod token;
mod trial;
mod usage;
mod user;
mod user_group;
mod visibility;
mod wait;
mod warm;
mod work;
mod worker;
mod workflow;
mod workflow_watch;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use sprout_domain::{Catalogue, PoolId, Result, version::set_release_names};
use tokio::sync::watch;

pub use self::{
    appliance_watch::ApplianceStream,
    audit::Call,
    authority::certified_worker,
    bus::LocalBus,
    catalogue_sync::CatalogueStatus,
    cleanup::WantedRule,
    configuration::{Configuration, RefusedConfiguration},
    event::{EventStream, Feed},
    explain::{Explanation, WaitReason},
    finish::{Finished, Written},
    job::{DueJob, JobSpec},
    join::{Admission, Certified},
    leader::{LEADERSHIP_LEASE, LEADERSHIP_RENEWAL, Term},
    lease::Extension,
    legacy::{ImportReport, Left},
    machine::MachineView,
    pool::{PoolStream, PoolView},
    pool_change::CloneRequest,
    queue::Placed,
    request::RequestedPool,
    shepherd::{Counted, PlannedShepherd, ShepherdView, WantedShepherd},
    stats::Sampled,
    task::{Assignment, Outcome, TaskKey},
    timeline::Subject as TimelineSubject,
    usage::UsageQuestion,
    user::{
        SignedIn,
        account::{NewUser, UserUpdate, UserView},
    },
    user_group::UserGroupUpdate,
    worker::{LEASE, Reconnected},
    workflow_watch::WorkflowStream,
};
use self::{ports::Ports, work::Work};

/// The use cases. One per process, shared by everyone who calls them.
pub struct App {
    ports: Ports,
    catalogue: RwLock<Arc<Catalogue>>,
    configuration: RwLock<Option<Configuration>>,
    installation_id: String,
    /// For people: whether it does is decided in transactions.
    leads: AtomicBool,
    feed: Feed,
    tokens: Arc<token::Tokens>,
    places: explain::Places,
    served: served::Served,
    listening: Mutex<worker::Listening>,
    requests: Arc<batch::Batch<request::Asked, RequestedPool>>,
    kills: Arc<batch::Batch<pool_kill::Asked, PoolView>>,
    looks: Arc<batch::Batch<PoolId, Option<PoolView>>>,
    /// Made, or read, when it is first needed.
    authority: tokio::sync::OnceCell<authority::Authority>,
    /// Turns for hashing passwords.
    hashing: tokio::sync::Semaphore,
    /// Records of calls that no transaction carries.
    refusals: audit::Waiting,
}

impl App {
    /// Makes the configured catalogue known to the database and is then ready to serve.
    pub async fn new(ports: Ports, catalogue: Catalogue) -> Result<Arc<Self>> {
        let installation_id = ports.store.installation_id().await?;
        let tokens = Arc::new(token::Tokens::default());
        let feed = Feed::after(ports.store.read().await?.last_sequence().await?, ports.clone(), tokens.clone());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let app = Arc::new(Self {
            ports,
            catalogue: RwLock::default(),
            configuration: RwLock::default(),
            installation_id,
            leads: AtomicBool::new(false),
            feed,
            tokens,
            places: explain::Places::default(),
            served: served::Served::default(),
            listening: Mutex::default(),
            requests: batch::Batch::new(request::TOGETHER),
            kills: batch::Batch::new(pool_kill::ASKED_TOGETHER),
            looks: batch::Batch::new(pool::LOOKED_AT),
            authority: tokio::sync::OnceCell::new(),
            hashing: tokio::sync::Semaphore::new(cores),
            refusals: audit::Waiting::default(),
        });
        app.set_catalogue(catalogue).await?;
        Ok(app)
    }

    /// Replaces the catalogue whole.
    pub async fn set_catalogue(&self, catalogue: Catalogue) -> Result<()> {
        let mut work = self.work().await?;
        let specs: Vec<_> = catalogue.providers.values().cloned().collect();
        work.tx.sync_providers(&specs).await?;
        let configured: Vec<_> = catalogue.providers.keys().cloned().collect();
        work.tx.hurry_kills(&configured).await?;
        work.wake(ports::Topic::Late);
        work.wake(ports::Topic::Queue);
        work.commit().await?;
        set_release_names(catalogue.release_names.clone());
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
        Ok(())
    }

    /// The catalogue as it is now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether this server leads.
    pub fn note_leading(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }

    /// Whether this server led when it last asked.
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    /// Id of this installation.
    pub fn installation_id(&self) -> &str {
        &self.installation_id
    }

    /// Whether the database answers, and changes of that.
    pub fn database_answers(&self) -> watch::Receiver<bool> {
        self.ports.store.answers()
    }

    /// Wake-ups.
    pub fn bus(&self) -> &Arc<dyn ports::Bus> {
        &self.ports.bus
    }

    /// The tail of the event log.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    async fn work(&self) -> Result<Work> {
        Ok(Work::new(self.ports.store.write().await?, self.ports.bus.clone(), self.catalogue()))
    }
}
