//! Single appliances: finding, listing, killing, and making new ones.

use std::time::Duration;

use sprout_domain::{
    ApplianceId, Catalogue, Error, PoolId, Reason, Result, UserGroupId, UserId, WorkflowId,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    pool::check_description,
    preparation::Preparation,
    template::Template,
    user::{Role, User},
    workflow::{Subject, WorkflowKind},
};

use crate::{
    App,
    hold::emit_changed,
    kill::kill_appliances,
    name,
    ports::{ApplianceBy, ApplianceFilter, NewAppliance, NewWorkflow, Page, Topic, Tx},
    work::{Work, repeated},
};

/// [`deploy_limit`] of a group that is not configured any more.
const DEPLOY_LIMIT: Duration = Duration::from_secs(60 * 60);

impl App {
    /// One appliance the caller may see.
    pub async fn appliance(&self, caller: &User, by: &ApplianceBy) -> Result<Appliance> {
        let mut tx = self.ports.store.read().await?;
        let mut appliance = visible(tx.as_mut(), caller, by).await?;
        self.tell_unserved(tx.as_mut(), std::slice::from_mut(&mut appliance)).await?;
        Ok(appliance)
    }

    /// A page of the appliances the caller may see: all for staff, else those of the caller's pools.
    pub async fn appliances(&self, caller: &User, filter: ApplianceFilter, page: Page) -> Result<Vec<Appliance>> {
        let owner_id = if caller.role >= Role::Staff { filter.owner_id } else { Some(caller.id) };
        let mut tx = self.ports.store.read().await?;
        let mut appliances = tx.appliances(&ApplianceFilter { owner_id, ..filter }, page).await?;
        self.tell_unserved(tx.as_mut(), &mut appliances).await?;
        Ok(appliances)
    }

    /// Sets an appliance's description.
    pub async fn describe_appliance(&self, caller: &User, id: ApplianceId, description: &str) -> Result<Appliance> {
        check_description(description)?;
        repeated(|| self.try_describe_appliance(caller, id, description)).await
    }

    async fn try_describe_appliance(&self, caller: &User, id: ApplianceId, description: &str) -> Result<Appliance> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        let seen = visible(work.tx.as_mut(), caller, &by).await?;
        if seen.description != description {
            work.tx.describe_appliance(id, description).await?;
            let says = format!("{} described {}: {description}", caller.name, seen.name);
            emit_changed(&mut work, &seen, Some(caller), says);
        }
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok(appliance)
    }

    /// Begins to kill an appliance; returns it as it is then, and the workflow that does it if it is not gone.
    pub async fn kill_appliance(&self, caller: &User, id: ApplianceId) -> Result<(Appliance, Option<WorkflowId>)> {
        repeated(|| self.try_kill_appliance(caller, id)).await
    }

    async fn try_kill_appliance(&self, caller: &User, id: ApplianceId) -> Result<(Appliance, Option<WorkflowId>)> {
        let by = ApplianceBy::Id(id);
        let mut work = self.work().await?;
        visible(work.tx.as_mut(), caller, &by).await?;
        kill_appliances(&mut work, &[id], &format!("killed by {}", caller.name)).await?;
        let live = work.tx.live_workflows(&[Subject::Appliance(id)]).await?;
        let appliance = visible(work.tx.as_mut(), caller, &by).await?;
        work.commit().await?;
        Ok((appliance, live.into_iter().find(|w| w.kind == WorkflowKind::Kill).map(|w| w.id)))
    }
}

/// The appliance, if the caller may see it; what may not be seen does not exist.
pub(crate) async fn visible(tx: &mut dyn Tx, caller: &User, by: &ApplianceBy) -> Result<Appliance> {
    let missing = || {
        let what = match by {
            ApplianceBy::Id(id) => format!("appliance {id}"),
            ApplianceBy::Name(name) => format!("appliance named {name}"),
            ApplianceBy::Address(address) => format!("appliance at {address}"),
        };
        not_found(&what)
    };
    let appliance = tx.appliance(by).await?.ok_or_else(missing)?;
    if caller.role >= Role::Staff {
        return Ok(appliance);
    }
    let owner = match appliance.pool_id {
        Some(pool) => tx.pool(pool).await?.map(|pool| pool.owner_id),
        None => None,
    };
    if owner == Some(caller.id) { Ok(appliance) } else { Err(missing()) }
}

/// The caller has no such appliance.
pub(crate) fn not_found(what: &str) -> Error {
    Error::new(Reason::ApplianceNotFound, format!("you have no {what}"))
}

/// Who and what new appliances are for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct For {
    pub(crate) pool: Option<PoolId>,
    pub(crate) owner: Option<UserId>,
    pub(crate) memory_mib: Option<u32>,
    pub(crate) cpus: Option<u32>,
    /// The user group whose stock it is.
    pub(crate) user_group: Option<UserGroupId>,
    /// It is brought up to date before it is ready.
    pub(crate) update: bool,
}

/// A deployment that is not ready after this time is ended.
fn deploy_limit(catalogue: &Catalogue, appliance: &Appliance, update: bool) -> Duration {
    catalogue.groups.get(&appliance.group).map_or(DEPLOY_LIMIT, |group| {
        let updating = Preparation::time_of(&group.preparation.update).saturating_mul(u32::from(update) * 2);
        group.deploy_limit.saturating_add(updating)
    })
}

/// Inserts one appliance per template given, each with the workflow that deploys it. Returns them in the same order.
pub(crate) async fn deploy(work: &mut Work, wanted: Vec<(Template, For)>) -> Result<Vec<Appliance>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let now = work.tx.now();
    let fors: Vec<For> = wanted.iter().map(|(_, to)| *to).collect();
    let new = wanted
        .into_iter()
        .map(|(template, to)| NewAppliance {
            name: name::appliance(&template.group, now),
            template,
            pool_id: to.pool,
            memory_mib: to.memory_mib,
            cpus: to.cpus,
            user_group_id: to.user_group,
            prepares: None,
        })
        .collect();
    let appliances = work.tx.insert_appliances(new).await?;
    let catalogue = work.catalogue.clone();
    let kind = |to: &For| if to.update { WorkflowKind::DeployUpdated } else { WorkflowKind::Deploy };
    let workflows = appliances
        .iter()
        .zip(&fors)
        .map(|(appliance, to)| NewWorkflow {
            owner_id: to.owner,
            priority: i16::from(to.pool.is_none()),
            late_in: Some(deploy_limit(&catalogue, appliance, to.update)),
            ..NewWorkflow::new(kind(to), Subject::Appliance(appliance.id), Some(appliance.provider.clone()))
        })
        .collect();
    work.tx.insert_workflows(workflows).await?;
    for appliance in &appliances {
        let message = format!("{} is wanted on {} from {}", appliance.name, appliance.provider, appliance.template);
        debug_assert_eq!(appliance.state, ApplianceState::Requested);
        work.emit_appliance(EventKind::ApplianceCreated, appliance, message);
    }
    work.wake(Topic::Tasks);
    Ok(appliances)
}
