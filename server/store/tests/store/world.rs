//! What most tests start from: a user, a provider, a template, and short ways to make more.

use std::{sync::Arc, time::Duration};

use sprout_app::ports::{
    ApplianceChange, Claim, Ended, FoundTemplate, Grant, NewAppliance, NewPool, NewWorkflow, Store, TakeWarm,
    TemplateFilter, Tx,
};
use sprout_domain::{
    PoolId, ProviderKey, Result, TemplateId, WorkflowId,
    appliance::{Appliance, ApplianceState},
    dispatch::Server,
    pool::{Pool, PoolState, Priority},
    provider::{ProviderSettings, ProviderSpec},
    template::{BuildDate, Said, Template},
    user::{Role, User},
    version::Version,
    worker::Slots,
    workflow::{Subject, Task, WorkflowKind, WorkflowState},
};
use sprout_store::SeaStore;
use sprout_test_support::database::TestDatabase;

pub(crate) struct World {
    pub(crate) db: TestDatabase,
    pub(crate) store: Arc<SeaStore>,
    pub(crate) user: User,
    pub(crate) template: Template,
}

impl World {
    /// User "ann"; provider "p1" with 2 provisioning slots and no other limit; template "t1" of group "g" on it.
    pub(crate) async fn new(db: TestDatabase) -> Result<Self> {
        let store = db.store();
        let mut tx = store.write().await?;
        let user = tx.insert_user("ann", "hash", Role::User).await?;
        tx.sync_providers(&[provider("p1", 2, None)]).await?;
        tx.sync_templates(&"p1".into(), &[found("t1")]).await?;
        let template = tx.templates(&TemplateFilter::default()).await?.remove(0);
        tx.commit().await?;
        Ok(Self { db, store, user, template })
    }

    pub(crate) async fn write(&self) -> Result<Box<dyn Tx>> {
        self.store.write().await
    }

    pub(crate) async fn read(&self) -> Result<Box<dyn Tx>> {
        self.store.read().await
    }

    pub(crate) fn new_pool(&self, request_id: &str) -> NewPool {
        NewPool {
            request_id: request_id.to_owned(),
            fingerprint: "f".to_owned(),
            owner: self.user.clone(),
            group: "g".into(),
            version: Version::new("5.11.0.1-rc2"),
            date: date("2020-02-29"),
            provider: None,
            count: 2,
            lease: Duration::from_millis(3_600_500),
            description: "für Ann's \"test\"".to_owned(),
            memory_mib: None,
            cpus: Some(4),
            provider_type: None,
            template_type: None,
            unconfigured: false,
            update: false,
            priority: Priority::Interactive,
            waiting_count: 0,
            keep_alive: None,
            alive_until: None,
            wait_until: None,
            state: PoolState::Waiting,
        }
    }

    pub(crate) async fn pool(&self, tx: &mut Box<dyn Tx>, request_id: &str) -> Result<Pool> {
        Ok(tx.insert_pools(vec![self.new_pool(request_id)]).await?.remove(0))
    }

    /// Grants what is warm, as a request does; returns it in the order in which it was taken.
    pub(crate) async fn grant(
        tx: &mut Box<dyn Tx>,
        pool: PoolId,
        templates: &[TemplateId],
        count: u64,
    ) -> Result<Vec<Appliance>> {
        let take = TakeWarm {
            templates: templates.to_vec(),
            user_groups: Vec::new(),
            count,
            behind: false,
            proven_since: sprout_domain::Timestamp::UNIX_EPOCH,
        };
        let warm: Vec<_> = tx.take_warm(&take).await?.into_iter().map(|warm| warm.id).collect();
        let grants: Vec<_> = warm.iter().map(|id| Grant { appliance: *id, proven: true, pool, lease: None }).collect();
        let mut granted = tx.grant(&grants).await?;
        granted.sort_by_key(|appliance| warm.iter().position(|id| *id == appliance.id));
        Ok(granted)
    }

    pub(crate) fn new_appliance(&self, name: &str) -> NewAppliance {
        NewAppliance {
            name: name.to_owned(),
            template: self.template.clone(),
            pool_id: None,
            memory_mib: None,
            cpus: None,
            user_group_id: None,
            prepares: None,
        }
    }

    /// Appliances "a0", "a1" … of no pool, in this state.
    pub(crate) async fn appliances(
        &self,
        tx: &mut Box<dyn Tx>,
        count: u32,
        state: ApplianceState,
    ) -> Result<Vec<Appliance>> {
        let new = (0..count).map(|n| self.new_appliance(&format!("a{n}"))).collect();
        let ids: Vec<_> = tx.insert_appliances(new).await?.iter().map(|appliance| appliance.id).collect();
        tx.change_appliances(&ids, &to(state)).await?;
        tx.appliances_by_id(&ids).await
    }
}

pub(crate) fn provider(key: &str, provisioning_limit: u32, appliance_limit: Option<u32>) -> ProviderSpec {
    ProviderSpec {
        key: key.into(),
        name: format!("Provider {key}"),
        provisioning_limit,
        appliance_limit,
        memory_limit_mib: None,
        cpu_limit: None,
        circuit_failures: 5,
        configuring_limit: 1,
        template_name_limit: None,
        container_base_template: None,
        disabled: false,
        settings: ProviderSettings::Container {
            socket: String::new(),
            publish_address: String::new(),
            memory_mib: 0,
            cpus: 0,
        },
    }
}

pub(crate) fn found(name: &str) -> FoundTemplate {
    FoundTemplate {
        name: name.to_owned(),
        group: "g".into(),
        version: Version::new("1"),
        date: date("2020-01-01"),
        said: Said::default(),
    }
}

pub(crate) fn date(text: &str) -> BuildDate {
    text.parse().unwrap()
}

/// A change to a state and nothing else.
pub(crate) fn to(state: ApplianceState) -> ApplianceChange {
    ApplianceChange { state: Some(state), ..ApplianceChange::default() }
}

pub(crate) fn workflow(kind: WorkflowKind, appliance: &Appliance) -> NewWorkflow {
    NewWorkflow::new(kind, Subject::Appliance(appliance.id), Some(appliance.provider.clone()))
}

pub(crate) fn check(provider: &str) -> NewWorkflow {
    let key: ProviderKey = provider.into();
    NewWorkflow::new(WorkflowKind::CheckProvider, Subject::Provider(key.clone()), Some(key))
}

pub(crate) fn ping(provider: &str) -> NewWorkflow {
    NewWorkflow::new(WorkflowKind::Ping, Subject::Nothing, Some(provider.into()))
}

/// Inserts workflows; returns their ids.
pub(crate) async fn begin(tx: &mut Box<dyn Tx>, workflows: Vec<NewWorkflow>) -> Result<Vec<WorkflowId>> {
    Ok(tx.insert_workflows(workflows).await?.into_iter().map(|begun| begun.id).collect())
}

/// Gives tasks on "p1" to a worker with this much room.
pub(crate) async fn give(tx: &mut Box<dyn Tx>, worker: &str, room: u32) -> Result<Vec<Task>> {
    let room = Slots { shared: room, ..Slots::default() };
    let server = Server { id: worker.into(), providers: [ProviderKey::from("p1")].into(), room };
    Ok(tx.claim_tasks(&Claim { servers: vec![server], limit: 1000 }).await?.tasks)
}

/// How a workflow ended.
pub(crate) fn ended(id: WorkflowId, state: WorkflowState, error: &str) -> Ended {
    Ended { id, state, error: error.to_owned() }
}

pub(crate) fn keys(names: &[&str]) -> Vec<ProviderKey> {
    names.iter().map(|name| (*name).into()).collect()
}
