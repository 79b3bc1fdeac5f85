//! What the use cases need from outside: a store with transactions, a bus for wake-ups, files for logs.
//!
//! A use case opens one transaction, reads and writes through it, and commits. Nothing outside sees any of it before,
//! and wake-ups are sent only after. Methods take and give whole sets, so that nothing needs a query in a loop.

mod appliance;
mod audit;
mod catalogue_sync;
mod job;
mod join;
mod late;
mod lease;
mod machine;
mod member;
mod operate;
mod pool;
mod preparation;
mod queue;
mod quota;
mod shepherd;
mod stats;
mod task;
mod task_list;
mod timeline;
mod trial;
mod usage;
mod user;
mod user_group;
mod worker;
mod workflow;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserId, Visible, WorkerId, WorkflowId,
    event::{Audience, Event, EventKind, NewEvent},
    provider::{Provider, ProviderSpec, Totals},
    room::Room,
    template::{BuildDate, Said, Template},
    token::{Token, TokenScope},
    user::{Role, User},
    version::Version,
};
use tokio::sync::watch;

pub use self::{
    appliance::{ApplianceBy, ApplianceChange, ApplianceFilter, ApplianceRows, Grant, NewAppliance, TakeWarm, Warm},
    audit::{AuditRows, RecordFilter},
    catalogue_sync::{CatalogueRows, Listings},
    job::{JobRows, KnownJob, LeadershipRows, NewJobRun},
    join::{AuthorityRow, JoinRows, JoinToken, Joined},
    late::LateRows,
    lease::{Hold, LeaseRows},
    machine::{Kept, MachineFilter, MachinePage, MachineRows, NewRule},
    member::MemberRows,
    operate::OperateRows,
    pool::{NewPool, PoolChange, PoolFilter, PoolRows},
    preparation::{BuildIndex, NewPrepared, PreparationRows, UnderWay},
    queue::{Kind, QueueRows, Spare, Unfinished, WaitingPool},
    quota::{QuotaAndUse, QuotaRows},
    shepherd::{Asked, Pick, ShepherdFilter, ShepherdRows, StockRow},
    stats::StatsRows,
    task::{Claim, Claimed, HandOn, Progress, TaskChange, TaskRows},
    task_list::{TaskFilter, TaskListRows},
    timeline::{About, TimelineFilter, TimelineRows},
    trial::{TrialRows, Troubled},
    usage::{UsageFilter, UsageRows},
    user::{AccountRows, TokenRows, TokensToDelete, UserChange, UserFilter},
    user_group::{Sight, UserGroupChange, UserGroupRows},
    worker::{Heard, SessionRow, WorkerHello, WorkerRows},
    workflow::{Begun, Ended, LiveWorkflow, NewWorkflow, WorkflowFilter, WorkflowRows, WorkflowsToLock},
};

/// The database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a transaction that writes. On SQLite there is one at a time.
    async fn write(&self) -> Result<Box<dyn Tx>>;

    /// Begins a transaction that only reads: one consistent snapshot. Dropped, not committed.
    async fn read(&self) -> Result<Box<dyn Tx>>;

    /// Whether the database answers, as far as is known; for health, and never in place of asking it.
    fn answers(&self) -> watch::Receiver<bool>;

    /// Id of this installation, made once by the first migration: what our tags on providers carry.
    async fn installation_id(&self) -> Result<String>;
}

/// One transaction. Dropped without [`Tx::commit`], it never happened.
#[async_trait]
pub trait Tx:
    PoolRows
    + ApplianceRows
    + LeaseRows
    + MemberRows
    + WorkflowRows
    + TaskRows
    + TaskListRows
    + ProviderRows
    + TemplateRows
    + TrialRows
    + UserRows
    + AccountRows
    + TokenRows
    + UserGroupRows
    + QuotaRows
    + QueueRows
    + WorkerRows
    + EventRows
    + TimelineRows
    + LeadershipRows
    + JobRows
    + JoinRows
    + AuditRows
    + ShepherdRows
    + OperateRows
    + PreparationRows
    + UsageRows
    + LateRows
    + MachineRows
    + CatalogueRows
    + StatsRows
{
    /// The database's clock at the beginning of the transaction; the same at every call.
    fn now(&self) -> Timestamp;

    /// Makes everything of it durable. If this fails, the outcome is unknown to the caller, who must look.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// A page of a list ordered by descending id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only ids below this; none: from the newest.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u64,
}

/// Providers.
#[async_trait]
pub trait ProviderRows: Send {
    /// Writes what the configuration says of providers; others that are there become disabled.
    async fn sync_providers(&mut self, specs: &[ProviderSpec]) -> Result<()>;

    /// All providers with their load, by key.
    async fn providers(&mut self) -> Result<Vec<Provider>>;

    /// Room on these providers, usable or not. What is requested counts as taken; the cost does not depend on how much is there. Nothing is locked:
    /// who places holds a turn, and limits are kept once more when clones are given out.
    async fn room(&mut self, keys: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Room>>;

    /// Writes the outcome of a check.
    async fn set_checked(&mut self, key: &ProviderKey, working: bool, status: &str) -> Result<()>;

    /// Writes how large a provider says it is; what it does not say stays as it was.
    async fn set_totals(&mut self, key: &ProviderKey, totals: &Totals) -> Result<()>;
}

/// A template to insert or bring back.
#[derive(Debug, Clone)]
pub struct FoundTemplate {
    /// Name on the provider.
    pub name: String,
    /// Group whose rule it matches.
    pub group: GroupName,
    /// Version read from its name.
    pub version: Version,
    /// Date read from its name.
    pub date: BuildDate,
    /// What is said of it.
    pub said: Said,
}

/// Which templates to list.
#[derive(Debug, Clone, Default)]
pub struct TemplateFilter {
    /// Only of this group.
    pub group: Option<GroupName>,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
    /// Only of this version.
    pub version: Option<Version>,
    /// Only of this date.
    pub date: Option<BuildDate>,
    /// Also those that are gone.
    pub with_gone: bool,
    /// Only on providers that work and are not disabled.
    pub usable_only: bool,
    /// Only on providers that someone sees.
    pub visible: Visible,
}

/// Templates.
#[async_trait]
pub trait TemplateRows: Send {
    /// Makes the provider's templates be exactly these: new ones are inserted, known ones updated and brought back, others become gone. Those that
    /// are retiring stay so. New ones are inserted in the order given.
    /// Writes nothing where nothing changed. Returns how many rows changed.
    async fn sync_templates(&mut self, provider: &ProviderKey, found: &[FoundTemplate]) -> Result<u64>;

    /// One template.
    async fn template(&mut self, id: TemplateId) -> Result<Option<Template>>;

    /// Names of the provider's templates that were deleted since then: whoever looked at it before knows nothing of that.
    async fn deleted_since(&mut self, provider: &ProviderKey, since: Timestamp) -> Result<Vec<String>>;

    /// Writes that a template was deleted, now.
    async fn set_template_gone(&mut self, id: TemplateId) -> Result<()>;

    /// Appliances of a template that belong to no pool, not those that are being killed or gone.
    async fn unowned_appliances(&mut self, id: TemplateId) -> Result<Vec<ApplianceId>>;

    /// Deletions that wait for the last appliance of their template, of which none is left.
    async fn deletable_templates(&mut self, limit: u64) -> Result<Vec<WorkflowId>>;

    /// Templates that are retiring and that nothing deletes.
    async fn undeleted_templates(&mut self) -> Result<Vec<Template>>;

    /// All templates but those that are gone.
    async fn standing_templates(&mut self) -> Result<Vec<Template>>;

    /// Marks which templates are suggested for deletion and which are obsolete, and no others. Returns how many rows changed.
    async fn mark_templates(&mut self, suggested: &[TemplateId], obsolete: &[TemplateId]) -> Result<u64>;

    /// Several templates.
    async fn templates_by_id(&mut self, ids: &[TemplateId]) -> Result<Vec<Template>>;

    /// All templates that match, newest id first.
    async fn templates(&mut self, filter: &TemplateFilter) -> Result<Vec<Template>>;
}

/// A token as stored: never the token itself.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of the token, hexadecimal.
    pub hash: String,
    /// Whose it is.
    pub owner: TokenOwner,
    /// Name its owner gave it.
    pub name: String,
    /// What it may be used for.
    pub scope: TokenScope,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

impl NewToken {
    /// The credential of a worker: it has no name, and does not expire.
    pub fn of_worker(hash: String, worker: &WorkerId) -> Self {
        let owner = TokenOwner::Worker(worker.clone());
        Self { hash, owner, name: String::new(), scope: TokenScope::Full, expires_at: None }
    }
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOwner {
    /// A user.
    User(UserId),
    /// A worker.
    Worker(WorkerId),
}

/// Whose a valid token is, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Who.
    pub principal: sprout_domain::user::Principal,
    /// The token.
    pub token: Token,
}

/// Users and tokens.
#[async_trait]
pub trait UserRows: Send {
    /// Inserts a user; [`sprout_domain::Reason::UserExists`] if the name is in use.
    async fn insert_user(&mut self, name: &str, password_hash: &str, role: Role) -> Result<User>;

    /// The user of this name with the password's hash.
    async fn user_by_name(&mut self, name: &str) -> Result<Option<(User, String)>>;

    /// Inserts a token.
    async fn insert_token(&mut self, token: NewToken) -> Result<Token>;

    /// Whose the token with this hash is; none if there is none, it has expired, or its owner is disabled.
    async fn token(&mut self, hash: &str) -> Result<Option<TokenInfo>>;

    /// Deletes a token; done if it is absent.
    async fn delete_token(&mut self, hash: &str) -> Result<()>;
}

/// Which events to read.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only about this pool and its appliances.
    pub pool_id: Option<PoolId>,
    /// Only about this appliance.
    pub appliance_id: Option<ApplianceId>,
    /// And also about this pool as a whole, where an appliance is named.
    pub whole_pool: Option<PoolId>,
    /// Only of these kinds; empty: of all.
    pub kinds: Vec<EventKind>,
    /// Only what someone may be told.
    pub told: Option<Told>,
}

/// What someone who is not staff may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What happened to pools while they were this user's; none: nothing of that.
    pub user_id: Option<UserId>,
    /// What is for these.
    pub audiences: BTreeSet<Audience>,
}

/// Events.
#[async_trait]
pub trait EventRows: Send {
    /// Appends events; the last thing before the commit, because from here on other writers of events wait. A reader who has seen a
    /// sequence has been able to see every lower one.
    async fn append_events(&mut self, events: Vec<NewEvent>) -> Result<()>;

    /// Events after a sequence, in order, at most `limit`.
    async fn events_after(&mut self, sequence: i64, filter: &EventFilter, limit: u64) -> Result<Vec<Event>>;

    /// The highest sequence there is; 0 if none.
    async fn last_sequence(&mut self) -> Result<i64>;
}

/// What woke up; a hint that says where to look, never what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Tasks may be ready.
    Tasks,
    /// Tasks that run are to be stopped, or were taken from their worker.
    Cancels,
    /// Workers were drained, undrained or removed.
    Workers,
    /// Events were appended.
    Events,
    /// The next lease may end at another time.
    Leases,
    /// Warm appliances may be missing.
    Warm,
    /// A job may be due.
    Jobs,
    /// Nobody may be leading.
    Leadership,
    /// Someone waits, or there may be room for someone who does.
    Queue,
    /// A provider or a template is to be tried again at another time, or a specimen is needed no more.
    Tries,
    /// The last appliance of a template that is retiring may be gone.
    Templates,
    /// A workflow may be late.
    Late,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 12] = [
        Self::Tasks,
        Self::Cancels,
        Self::Workers,
        Self::Events,
        Self::Leases,
        Self::Warm,
        Self::Jobs,
        Self::Leadership,
        Self::Queue,
        Self::Tries,
        Self::Templates,
        Self::Late,
    ];

    /// Name between replicas.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Cancels => "cancels",
            Self::Workers => "workers",
            Self::Events => "events",
            Self::Leases => "leases",
            Self::Warm => "warm",
            Self::Jobs => "jobs",
            Self::Leadership => "leadership",
            Self::Queue => "queue",
            Self::Tries => "tries",
            Self::Templates => "templates",
            Self::Late => "late",
        }
    }
}

/// Carries wake-ups, within the process and between replicas. May lose some: everyone who waits also looks now and then.
pub trait Bus: Send + Sync {
    /// Wakes whoever waits for these topics. Never blocks.
    fn publish(&self, topics: &[Topic]);

    /// A receiver that is marked changed by each wake-up; many count as one.
    fn subscribe(&self, topic: Topic) -> watch::Receiver<u64>;
}

/// What a log belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogOf {
    /// An appliance.
    Appliance(ApplianceId),
    /// A provider.
    Provider(ProviderKey),
}

/// Log files, one per subject.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Appends lines. Failing to log is reported by the store itself and stops nothing.
    async fn append(&self, of: &LogOf, lines: Vec<String>);

    /// Lines from a byte position on, at most `limit`, and the position after them; no lines: the end so far.
    async fn read(&self, of: &LogOf, position: u64, limit: usize) -> Result<(Vec<String>, u64)>;

    /// A receiver that is marked changed when lines were appended to any log.
    fn changed(&self) -> watch::Receiver<u64>;
}

/// Everything the use cases need, shared by all of them.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Wake-ups.
    pub bus: Arc<dyn Bus>,
    /// Logs.
    pub logs: Arc<dyn LogStore>,
}
