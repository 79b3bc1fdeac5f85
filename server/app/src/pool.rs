//! Pools: requesting, finding, watching, killing.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use sprout_domain::{
    Catalogue, Error, PoolId, Reason, Result, Timestamp,
    appliance::{Appliance, ApplianceState},
    event::{EventKind, NewEvent},
    lease, placement,
    pool::{self, Pool, PoolEvent, PoolRequest, PoolState},
    template::{BuildDate, Template},
    user::{Role, User},
};

use crate::{
    App,
    appliance::{For, deploy},
    kill::{kill_appliances, settle_pools},
    ports::{EventFilter, NewPool, Page, PoolChange, PoolFilter, TemplateFilter, Topic, Tx},
    work::Work,
};

/// A pool with its appliances (not those already gone).
#[derive(Debug, Clone, PartialEq)]
pub struct PoolView {
    /// The pool.
    pub pool: Pool,
    /// Its appliances, oldest first.
    pub appliances: Vec<Appliance>,
}

impl PoolView {
    /// Appliances of it that are ready.
    pub fn ready_count(&self) -> u32 {
        let ready = self.appliances.iter().filter(|a| a.state == ApplianceState::Ready).count();
        u32::try_from(ready).unwrap_or(u32::MAX)
    }

    /// Mean progress of its wanted appliances.
    pub fn progress_percent(&self) -> u32 {
        pool::progress_percent(self.pool.count, self.appliances.iter().map(|a| a.state))
    }

    /// When the first of its leases ends.
    pub fn leased_until(&self) -> Option<Timestamp> {
        self.appliances.iter().filter(|a| a.state.counts()).filter_map(|a| a.leased_until).min()
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestedPool {
    /// The pool.
    pub view: PoolView,
    /// The request id had been seen before.
    pub repeated: bool,
}

/// A pool each time it changed, with the sentence of the last change.
pub type PoolStream = std::pin::Pin<Box<dyn Stream<Item = Result<(PoolView, String)>> + Send>>;

impl App {
    /// Requests a pool: warm appliances at once, workflows for the rest, all in one transaction.
    pub async fn request_pool(&self, caller: &User, request: PoolRequest) -> Result<RequestedPool> {
        request.check()?;
        match self.try_request_pool(caller, &request).await {
            // The same request raced with itself on another connection and won there: it is found now.
            Err(error) if error.reason == Reason::RequestIdReused => self.try_request_pool(caller, &request).await,
            result => result,
        }
    }

    async fn try_request_pool(&self, caller: &User, request: &PoolRequest) -> Result<RequestedPool> {
        let catalogue = self.catalogue();
        let fingerprint = format!("{:x}", Sha256::digest(request.fingerprint()));
        let mut work = self.work().await?;
        if let Some(known) = work.tx.pool_by_request(caller.id, &request.request_id).await? {
            if known.fingerprint != fingerprint {
                let message = format!(
                    "request id {} was used for pool {}, which asked for something else; make a new id for each request",
                    request.request_id, known.id
                );
                return Err(Error::new(Reason::RequestIdReused, message).with("pool_id", known.id.to_string()));
            }
            return Ok(RequestedPool { view: view(work.tx.as_mut(), known).await?, repeated: true });
        }
        let lease = lease::checked(request.lease, catalogue.group(&request.group)?)?;
        let templates = usable_templates(&mut work, &catalogue, request).await?;
        let Some(first) = templates.first() else { return Err(Error::internal("no template, no error")) };
        let new = NewPool {
            request_id: request.request_id.clone(),
            fingerprint,
            owner: caller.clone(),
            group: request.group.clone(),
            version: first.version.clone(),
            date: first.date,
            provider: request.provider.clone(),
            count: request.count,
            lease,
            description: request.description.clone(),
            memory_mib: request.memory_mib,
            cpus: request.cpus,
            state: PoolState::Waiting,
        };
        let mut pool = work.tx.insert_pool(new).await?;
        work.emit(NewEvent {
            pool_id: Some(pool.id),
            user: Some(caller.name.clone()),
            state: Some(pool.state.as_str().to_owned()),
            ..NewEvent::new(
                EventKind::PoolRequested,
                format!(
                    "{} requested pool {}: {} of {} {}",
                    caller.name, pool.id, pool.count, pool.group, pool.version
                ),
            )
        });
        let appliances = fill(&mut work, &mut pool, &templates).await?;
        let view = match appliances {
            Some(appliances) => PoolView { pool, appliances },
            None => view(work.tx.as_mut(), pool).await?,
        };
        work.commit().await?;
        Ok(RequestedPool { view, repeated: false })
    }

    /// One pool the caller may see.
    pub async fn pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        let mut tx = self.ports.store.read().await?;
        let pool = owned(tx.as_mut(), caller, id).await?;
        view(tx.as_mut(), pool).await
    }

    /// A page of pools with their appliances, newest first: the caller's own; for staff, everyone's.
    pub async fn pools(&self, caller: &User, filter: PoolFilter, page: Page) -> Result<Vec<PoolView>> {
        let owner_id = if caller.role >= Role::Staff { filter.owner_id } else { Some(caller.id) };
        let mut tx = self.ports.store.read().await?;
        let pools = tx.pools(&PoolFilter { owner_id, ..filter }, page).await?;
        let ids: Vec<_> = pools.iter().map(|pool| pool.id).collect();
        let mut views: Vec<_> = pools.into_iter().map(|pool| PoolView { pool, appliances: Vec::new() }).collect();
        for appliance in tx.appliances_of_pools(&ids, false).await? {
            if let Some(view) = views.iter_mut().find(|view| Some(view.pool.id) == appliance.pool_id) {
                view.appliances.push(appliance);
            }
        }
        Ok(views)
    }

    /// The pool now and each time it changed, until it ended or failed.
    pub async fn watch_pool(self: &Arc<Self>, caller: &User, id: PoolId) -> Result<PoolStream> {
        let filter = EventFilter { pool_id: Some(id), ..EventFilter::default() };
        // Listening starts before the first look, so that no change falls between the two.
        let events = self.events(caller, filter, None).await?;
        let first = self.pool(caller, id).await?;
        let (app, caller) = (self.clone(), caller.clone());
        let ended = first.pool.state.is_final();
        let later = stream::unfold((events, ended), move |(mut events, ended)| {
            let (app, caller) = (app.clone(), caller.clone());
            async move {
                if ended {
                    return None;
                }
                let message = match events.next_many().await {
                    Ok(batch) => batch.last().map(|event| event.fact.message.clone()).unwrap_or_default(),
                    Err(error) => return Some((Err(error), (events, true))),
                };
                let now = app.pool(&caller, id).await;
                let ended = now.as_ref().map_or(true, |view| view.pool.state.is_final());
                Some((now.map(|view| (view, message)), (events, ended)))
            }
        });
        Ok(stream::once(async move { Ok((first, String::new())) }).chain(later).boxed())
    }

    /// Ends a pool and kills its appliances; nothing happens if that has been done.
    pub async fn kill_pool(&self, caller: &User, id: PoolId) -> Result<PoolView> {
        let mut work = self.work().await?;
        let pool = owned(work.tx.as_mut(), caller, id).await?;
        if !pool.state.is_final() {
            end_pool(&mut work, &pool, &format!("killed by {}", caller.name)).await?;
        }
        let pool = owned(work.tx.as_mut(), caller, id).await?;
        let view = view(work.tx.as_mut(), pool).await?;
        work.commit().await?;
        Ok(view)
    }
}

/// Kills all of a pool, which thereby ends.
async fn end_pool(work: &mut Work, pool: &Pool, why: &str) -> Result<()> {
    let ids: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    kill_appliances(work, &ids, why).await?;
    // A replacement may have been added between the look and the lock; nothing can be added any more.
    let locked = work.tx.lock_pools(&[pool.id]).await?;
    let late: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    if late.iter().any(|id| !ids.contains(id)) {
        kill_appliances(work, &late, why).await?;
    }
    let mut pools = locked.into_iter().map(|pool| (pool.id, pool)).collect();
    settle_pools(work, &mut pools).await
}

/// The pool, if the caller may see it; what may not be seen does not exist.
pub(crate) async fn owned(tx: &mut dyn Tx, caller: &User, id: PoolId) -> Result<Pool> {
    match tx.pool(id).await? {
        Some(pool) if pool.owner_id == caller.id || caller.role >= Role::Staff => Ok(pool),
        _ => Err(Error::new(Reason::PoolNotFound, format!("you have no pool {id}"))),
    }
}

/// The pool with its appliances.
pub(crate) async fn view(tx: &mut dyn Tx, pool: Pool) -> Result<PoolView> {
    let appliances = tx.appliances_of_pools(&[pool.id], false).await?;
    Ok(PoolView { pool, appliances })
}

/// The templates that can serve the request, all of one version and date; never none.
async fn usable_templates(work: &mut Work, catalogue: &Catalogue, request: &PoolRequest) -> Result<Vec<Template>> {
    if let Some(key) = &request.provider {
        catalogue.provider(key)?;
    }
    let filter = TemplateFilter {
        group: Some(request.group.clone()),
        provider: request.provider.clone(),
        version: request.version.clone(),
        date: request.date,
        with_gone: false,
        usable_only: true,
    };
    let mut templates = work.tx.templates(&filter).await?;
    let Some((version, date)) = placement::resolve(&templates) else {
        return Err(why_no_template(work, request, filter).await?);
    };
    templates.retain(|t| t.version == version && t.date == date);
    Ok(templates)
}

/// Says what stands in the way: the provider asked for, all providers, or the templates.
async fn why_no_template(work: &mut Work, request: &PoolRequest, filter: TemplateFilter) -> Result<Error> {
    let providers = work.tx.providers().await?;
    let concerned: Vec<_> =
        providers.iter().filter(|p| request.provider.as_ref().is_none_or(|key| *key == p.key)).collect();
    let down: Vec<_> = concerned.iter().filter(|p| p.disabled || !p.working).collect();
    if let Some(first) = down.first().filter(|_| down.len() == concerned.len()) {
        let state = match (first.disabled, first.checked_at) {
            (true, _) => "is disabled".to_owned(),
            (false, None) => "was not checked yet (is a worker connected? see `sproutctl worker list`)".to_owned(),
            (false, Some(_)) => format!("does not work: {}", first.status),
        };
        let message =
            format!("provider {} {state}; mend it, then run `sproutctl provider check {}`", first.key, first.key);
        return Ok(Error::new(Reason::ProviderNotUsable, message).with("provider", &*first.key.0));
    }
    let mut known = work.tx.templates(&TemplateFilter { version: None, date: None, ..filter }).await?;
    known.sort_by(|a, b| (&b.version, b.date).cmp(&(&a.version, a.date)));
    let mut versions: Vec<_> = known.iter().map(build_of).collect();
    versions.dedup();
    let wanted = match (&request.version, request.date) {
        (Some(version), Some(date)) => format!(" of version {version} and date {date}"),
        (Some(version), None) => format!(" of version {version}"),
        (None, Some(date)) => format!(" of date {date}"),
        (None, None) => String::new(),
    };
    let wanted_on = request.provider.as_ref().map(|key| format!(" on {key}")).unwrap_or_default();
    let there = if versions.is_empty() {
        "none of its templates is on a working provider (the group's `template_pattern` decides which belong to it; see `sproutctl template list`)"
            .to_owned()
    } else {
        versions.truncate(5);
        format!("there is {}", versions.join(", "))
    };
    Ok(Error::new(Reason::NoTemplate, format!("group {} has no template{wanted}{wanted_on}: {there}", request.group)))
}

/// Grants what is warm and deploys the rest. Returns the pool's appliances where that is known without reading them again.
async fn fill(work: &mut Work, pool: &mut Pool, templates: &[Template]) -> Result<Option<Vec<Appliance>>> {
    let ids: Vec<_> = templates.iter().map(|t| t.id).collect();
    let plain = pool.memory_mib.is_none() && pool.cpus.is_none();
    let granted =
        if plain && pool.count > 0 { work.tx.grant_warm(pool.id, &ids, pool.count).await? } else { Vec::new() };
    for appliance in &granted {
        work.emit_appliance(
            EventKind::ApplianceGranted,
            appliance,
            format!("{} was warm and is granted to pool {}", appliance.name, pool.id),
        );
    }
    if !granted.is_empty() {
        work.wake(Topic::Warm);
    }
    let missing = pool.count - u32::try_from(granted.len()).unwrap_or(pool.count).min(pool.count);
    if pool.count == 0 {
        advance_pool(work, pool, PoolEvent::Empty, "ended: it asked for no appliance").await?;
        return Ok(Some(Vec::new()));
    }
    if missing > 0 {
        let placed = place(work, missing, templates, &[]).await?;
        let wanted =
            For { pool: Some(pool.id), owner: Some(pool.owner_id), memory_mib: pool.memory_mib, cpus: pool.cpus };
        deploy(work, placed, wanted).await?;
        return Ok(None);
    }
    fulfil(work, pool).await?;
    let (now, until) = (work.tx.now(), lease::end(work.tx.now(), pool.lease));
    let leased = |a| Appliance { leased_at: Some(now), leased_until: Some(until), ..a };
    Ok(Some(granted.into_iter().map(leased).collect()))
}

/// Chooses templates for `count` appliances.
pub(crate) async fn place(
    work: &mut Work,
    count: u32,
    templates: &[Template],
    avoid: &[sprout_domain::ProviderKey],
) -> Result<Vec<Template>> {
    let keys: Vec<_> = templates.iter().map(|t| t.provider.clone()).collect();
    let room = work.tx.room(&keys).await?;
    Ok(placement::place(count, templates, &room, avoid).into_iter().cloned().collect())
}

/// "5.11.7.3 of 2020-09-10", or the version alone where names have no date.
fn build_of(template: &Template) -> String {
    let Template { version, date, .. } = template;
    if *date == BuildDate::default() { version.to_string() } else { format!("{version} of {date}") }
}

/// The pool (locked) has all it wanted: it is ready, and its lease starts.
pub(crate) async fn fulfil(work: &mut Work, pool: &mut Pool) -> Result<()> {
    let until = lease::end(work.tx.now(), pool.lease);
    if advance_pool(work, pool, PoolEvent::Fulfilled, &format!("ready, leased until {}", until.format("%F %T UTC")))
        .await?
    {
        work.tx.set_pool_lease(pool.id, true, until).await?;
        pool.fulfilled_at = Some(work.tx.now());
        work.wake(Topic::Leases);
    }
    Ok(())
}

/// Applies an event to a pool (locked), with what it says for people; returns whether it meant anything.
pub(crate) async fn advance_pool(work: &mut Work, pool: &mut Pool, event: PoolEvent, says: &str) -> Result<bool> {
    let Some(state) = pool.state.after(event) else { return Ok(false) };
    pool.state = state;
    if state.is_final() {
        pool.ended_at = Some(work.tx.now());
    }
    work.tx.change_pools(&[pool.id], &PoolChange { state: Some(state), ..PoolChange::default() }).await?;
    let message = format!("pool {} is {says}", pool.id);
    work.emit_pool(EventKind::PoolState, pool, message);
    Ok(true)
}
