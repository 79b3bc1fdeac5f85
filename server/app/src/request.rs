//! Requesting pools: warm appliances at once, workflows for the rest. Requests that arrive together share one transaction.

use std::{collections::BTreeSet, sync::Arc};

use sha2::{Digest as _, Sha256};
use sprout_domain::{
    ApplianceId, Catalogue, Error, PoolId, Reason, Result, UserId, Visible,
    appliance::Appliance,
    event::{EventKind, NewEvent},
    lease, placement,
    pool::{Pool, PoolEvent, PoolRequest, PoolState, Priority},
    template::{BuildDate, Template},
    user::User,
};

use crate::{
    App, Call, PoolView,
    appliance::{For, deploy},
    audit,
    lease::lease_of,
    ports::{Grant, NewPool, TemplateFilter, Topic},
    visibility::Sights,
    work::{Work, tried},
};

/// Requests that share a transaction at most. More would only make the first of them wait longer.
pub(crate) const TOGETHER: usize = 64;

/// Who asks for what, by which call.
pub(crate) type Asked = (User, PoolRequest, Option<Arc<Call>>);

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestedPool {
    /// The pool.
    pub view: PoolView,
    /// The request id had been seen before.
    pub repeated: bool,
}

impl App {
    /// Requests a pool: warm appliances at once, workflows for the rest, all in one transaction. The same request id gives the same pool.
    pub async fn request_pool(self: &Arc<Self>, caller: &User, request: PoolRequest) -> Result<RequestedPool> {
        request.check()?;
        let app = self.clone();
        let answer = move |asked| {
            let app = app.clone();
            async move { app.serve(asked).await }
        };
        self.requests.ask((caller.clone(), request, audit::current()), answer).await
    }

    async fn serve(&self, asked: Vec<Asked>) -> Vec<Result<RequestedPool>> {
        // Of one request that came twice at once, the second finds what the first has made.
        let mut seen = BTreeSet::new();
        let unique = asked.iter().all(|(caller, request, _)| seen.insert((caller.id, request.request_id.as_str())));
        if unique {
            match self.serve_together(&asked).await {
                Ok(answers) => return answers,
                // Nobody could be served, alone or together.
                Err(error) if error.reason == Reason::DatabaseUnavailable => return vec![Err(error); asked.len()],
                Err(error) => tracing::debug!(%error, count = asked.len(), "requests are served one by one"),
            }
        }
        let mut answers = Vec::with_capacity(asked.len());
        for one in &asked {
            answers.push(self.serve_alone(one).await);
        }
        answers
    }

    async fn serve_alone(&self, asked: &Asked) -> Result<RequestedPool> {
        let only =
            |answers: Vec<_>| answers.into_iter().next().ok_or_else(|| Error::internal("no answer to a request"));
        let serve = || tried(|| self.serve_together(std::slice::from_ref(asked)));
        match serve().await {
            // The same request raced with itself on another server and won there: it is found now.
            Err(error) if error.reason == Reason::RequestIdReused => only(serve().await?)?,
            answers => only(answers?)?,
        }
    }

    async fn serve_together(&self, asked: &[Asked]) -> Result<Vec<Result<RequestedPool>>> {
        let catalogue = self.catalogue();
        let mut work = self.work().await?;
        let mut answers = repeated(&mut work, asked).await?;
        let plans = plan(&mut work, &catalogue, asked, &mut answers).await?;
        for (index, view) in fill(&mut work, plans).await? {
            answers[index] = Some(Ok(RequestedPool { view, repeated: false }));
        }
        // Those that are refused have changed nothing; they are recorded as refused.
        let served = asked.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Some(Ok(_))));
        served.filter_map(|((.., call), _)| call.as_ref()).for_each(|call| work.done_for(call));
        work.commit().await?;
        let missing = || Err(Error::internal("no answer to a request"));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
    }
}

/// A request that is new, and what can serve it.
struct Plan {
    /// Which question it is.
    index: usize,
    new: NewPool,
    /// All of one version and date; never none.
    templates: Vec<Template>,
    /// Warm ones it gets.
    granted: Vec<ApplianceId>,
}

impl Plan {
    fn missing(&self) -> u32 {
        self.new.count.saturating_sub(u32::try_from(self.granted.len()).unwrap_or(u32::MAX))
    }
}

fn fingerprint(request: &PoolRequest) -> String {
    format!("{:x}", Sha256::digest(request.fingerprint()))
}

/// Answers to those requests that were seen before.
async fn repeated(work: &mut Work, asked: &[Asked]) -> Result<Vec<Option<Result<RequestedPool>>>> {
    let keys: Vec<(UserId, String)> =
        asked.iter().map(|(caller, request, _)| (caller.id, request.request_id.clone())).collect();
    let known = work.tx.pools_by_request(&keys).await?;
    let ids: Vec<_> = known.iter().map(|pool| pool.id).collect();
    let appliances = work.tx.appliances_of_pools(&ids, false).await?;
    let answer = |(caller, request, _): &Asked| {
        let pool = known.iter().find(|p| p.owner_id == caller.id && p.request_id == request.request_id)?;
        if pool.fingerprint != fingerprint(request) {
            let message = format!(
                "request id {} was used for pool {}, which asked for something else; make a new id for each request",
                request.request_id, pool.id
            );
            return Some(Err(Error::new(Reason::RequestIdReused, message).with("pool_id", pool.id.to_string())));
        }
        let mine = appliances.iter().filter(|a| a.pool_id == Some(pool.id)).cloned().collect();
        Some(Ok(RequestedPool { view: PoolView { pool: pool.clone(), appliances: mine }, repeated: true }))
    };
    Ok(asked.iter().map(answer).collect())
}

/// What is to be made for those that have no answer yet. Those that cannot be served get theirs.
async fn plan(
    work: &mut Work,
    catalogue: &Catalogue,
    asked: &[Asked],
    answers: &mut [Option<Result<RequestedPool>>],
) -> Result<Vec<Plan>> {
    let mut plans: Vec<Plan> = Vec::new();
    let fresh = asked.iter().zip(answers.iter()).filter(|(_, answer)| answer.is_none());
    let sights = Sights::read(work.tx.as_mut(), fresh.map(|((caller, ..), _)| caller)).await?;
    let visible: Vec<Visible> = asked.iter().map(|(caller, ..)| sights.of(caller)).collect();
    for (index, (caller, request, _)) in asked.iter().enumerate() {
        if answers[index].is_some() {
            continue;
        }
        let alike = |plan: &&Plan| {
            let (_, other, _) = &asked[plan.index];
            visible[plan.index] == visible[index]
                && (&other.group, &other.version, other.date, &other.provider)
                    == (&request.group, &request.version, request.date, &request.provider)
        };
        let lease = catalogue.group(&request.group).and_then(|group| lease::checked(request.lease, group));
        let templates = match (&lease, plans.iter().find(alike)) {
            (Err(error), _) => Err(error.clone()),
            (Ok(_), Some(plan)) => Ok(plan.templates.clone()),
            (Ok(_), None) => usable_templates(work, catalogue, request, visible[index].clone()).await,
        };
        let made = match (lease, templates) {
            (Ok(lease), Ok(templates)) => templates.first().cloned().map(|first| (lease, templates, first)),
            (Err(error), _) | (_, Err(error)) if error.reason == Reason::DatabaseUnavailable => return Err(error),
            (Err(error), _) | (_, Err(error)) => {
                answers[index] = Some(Err(error));
                continue;
            }
        };
        let Some((lease, templates, first)) = made else { return Err(Error::internal("no template, no error")) };
        let new = NewPool {
            request_id: request.request_id.clone(),
            fingerprint: fingerprint(request),
            owner: caller.clone(),
            group: request.group.clone(),
            version: first.version,
            date: first.date,
            provider: request.provider.clone(),
            count: request.count,
            lease,
            description: request.description.clone(),
            memory_mib: request.memory_mib,
            cpus: request.cpus,
            provider_type: request.provider_type.clone(),
            template_type: request.template_type,
            unconfigured: request.unconfigured,
            priority: request.priority.unwrap_or(Priority::Interactive),
            waiting_count: 0,
            keep_alive: request.keep_alive,
            alive_until: None,
            wait_until: None,
            state: PoolState::Waiting,
        };
        plans.push(Plan { index, new, templates, granted: Vec::new() });
    }
    Ok(plans)
}

/// Makes the pools: grants what is warm, in the order of the requests, and deploys the rest.
async fn fill(work: &mut Work, mut plans: Vec<Plan>) -> Result<Vec<(usize, PoolView)>> {
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    take_warm(work, &mut plans).await?;
    for plan in &mut plans {
        // What is complete from the start is inserted so.
        let complete = match plan.missing() {
            _ if plan.new.count == 0 => Some(PoolEvent::Empty),
            0 => Some(PoolEvent::Fulfilled),
            _ => None,
        };
        if let Some(state) = complete.and_then(|event| plan.new.state.after(event)) {
            plan.new.state = state;
        }
    }
    let pools = work.tx.insert_pools(plans.iter().map(|plan| plan.new.clone()).collect()).await?;
    let mut appliances = grant(work, &plans, &pools).await?;
    for pool in &pools {
        tell_requested(work, pool);
    }
    for appliance in &appliances {
        let pool = appliance.pool_id.unwrap_or(PoolId(0));
        let message = format!("{} was warm and is granted to pool {pool}", appliance.name);
        work.emit_appliance(EventKind::ApplianceGranted, appliance, message);
    }
    for pool in &pools {
        tell_complete(work, pool);
    }
    appliances.extend(deploy_missing(work, &plans, &pools).await?);
    appliances.sort_by_key(|appliance| appliance.id);
    let view = |(plan, pool): (&Plan, Pool)| {
        let mine = appliances.iter().filter(|a| a.pool_id == Some(pool.id)).cloned().collect();
        (plan.index, PoolView { pool, appliances: mine })
    };
    Ok(plans.iter().zip(pools).map(view).collect())
}

/// Takes warm appliances, and deals them out in the order of the requests.
async fn take_warm(work: &mut Work, plans: &mut [Plan]) -> Result<()> {
    let mut taken: Vec<ApplianceId> = Vec::new();
    for first in 0..plans.len() {
        let ids: Vec<_> = plans[first].templates.iter().map(|template| template.id).collect();
        let alike = |plan: &Plan| plan.new.is_plain() && plan.templates.iter().map(|t| t.id).eq(ids.iter().copied());
        // Once for all that can take the same.
        if !plans[first].new.is_plain() || plans[..first].iter().any(alike) {
            continue;
        }
        let wanted: u64 = plans[first..].iter().filter(|plan| alike(plan)).map(|plan| u64::from(plan.new.count)).sum();
        if wanted == 0 {
            continue;
        }
        // What this transaction has taken for others it would be given again.
        let more = taken.len() as u64;
        let mut warm = work.tx.take_warm(&ids, wanted + more).await?;
        warm.retain(|id| !taken.contains(id));
        let mut warm = warm.into_iter();
        for plan in plans[first..].iter_mut().filter(|plan| alike(plan)) {
            plan.granted = warm.by_ref().take(plan.new.count as usize).collect();
            taken.extend(&plan.granted);
        }
    }
    Ok(())
}

async fn grant(work: &mut Work, plans: &[Plan], pools: &[Pool]) -> Result<Vec<Appliance>> {
    let now = work.tx.now();
    let grants: Vec<_> = plans
        .iter()
        .zip(pools)
        .flat_map(|(plan, pool)| {
            let lease = (pool.state == PoolState::Ready).then(|| lease_of(&work.catalogue, now, pool));
            plan.granted.iter().map(move |appliance| Grant { appliance: *appliance, pool: pool.id, lease })
        })
        .collect();
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let granted = work.tx.grant(&grants).await?;
    if granted.len() != grants.len() {
        return Err(Error::internal("a warm appliance was granted although this transaction had locked it"));
    }
    work.wake(Topic::Warm);
    Ok(granted)
}

fn tell_requested(work: &mut Work, pool: &Pool) {
    let Pool { id, owner, count, group, version, .. } = pool;
    work.emit(NewEvent {
        pool_id: Some(*id),
        user: Some(owner.clone()),
        state: Some(PoolState::Waiting.as_str().to_owned()),
        ..NewEvent::new(EventKind::PoolRequested, format!("{owner} requested pool {id}: {count} of {group} {version}"))
    });
}

fn tell_complete(work: &mut Work, pool: &Pool) {
    let says = match pool.state {
        PoolState::Ready => {
            work.wake(Topic::Leases);
            let until = lease::end(work.tx.now(), pool.lease);
            format!("ready, leased until {}", until.format("%F %T UTC"))
        }
        PoolState::Ended => "ended: it asked for no appliance".to_owned(),
        PoolState::Waiting | PoolState::Provisioning | PoolState::Ending | PoolState::Failed => return,
    };
    work.emit_pool(EventKind::PoolState, pool, format!("pool {} is {says}", pool.id));
}

/// Deploys what was not warm, each where there is most room after what was placed before.
async fn deploy_missing(work: &mut Work, plans: &[Plan], pools: &[Pool]) -> Result<Vec<Appliance>> {
    let cold = || plans.iter().zip(pools).filter(|(plan, _)| plan.missing() > 0);
    let keys: BTreeSet<_> = cold().flat_map(|(plan, _)| plan.templates.iter().map(|t| t.provider.clone())).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut room = work.tx.room(&keys.into_iter().collect::<Vec<_>>()).await?;
    let mut wanted = Vec::new();
    for (plan, pool) in cold() {
        let to = For {
            pool: Some(pool.id),
            owner: Some(pool.owner_id),
            memory_mib: pool.memory_mib,
            cpus: pool.cpus,
            user_group: None,
        };
        let placed = placement::place(plan.missing(), (pool.memory_mib, pool.cpus), &plan.templates, &mut room, &[]);
        wanted.extend(placed.into_iter().map(|template| (template.clone(), to)));
    }
    deploy(work, wanted).await
}

/// The templates that can serve the request, all of one version and date; never none.
async fn usable_templates(
    work: &mut Work,
    catalogue: &Catalogue,
    request: &PoolRequest,
    visible: Visible,
) -> Result<Vec<Template>> {
    if let Some(key) = &request.provider {
        catalogue.provider_seen(key, &visible)?;
    }
    let filter = TemplateFilter {
        group: Some(request.group.clone()),
        provider: request.provider.clone(),
        version: request.version.clone(),
        date: request.date,
        with_gone: false,
        usable_only: true,
        visible,
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
    if filter.visible.is_nothing() {
        let message = "you are in no user group with a provider; ask an administrator to put you into one";
        return Ok(Error::new(Reason::NoTemplate, message));
    }
    let mut providers = work.tx.providers().await?;
    providers.retain(|provider| filter.visible.sees(&provider.key));
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

/// "5.11.7.3 of 2020-09-10", or the version alone where names have no date.
fn build_of(template: &Template) -> String {
    let Template { version, date, .. } = template;
    if *date == BuildDate::default() { version.to_string() } else { format!("{version} of {date}") }
}
