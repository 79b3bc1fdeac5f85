//! Requesting pools: warm appliances at once, workflows for what there is room for; the rest waits. Requests that arrive together share one transaction.

mod check;
mod quota;
mod templates;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use sprout_domain::{
    Catalogue, Error, ProviderKey, Reason, Result, Timestamp, UserGroupId, UserId, Visible,
    event::{EventKind, NewEvent},
    lease,
    placement::choose,
    pool::{Pool, PoolEvent, PoolRequest, PoolState, Priority, WAIT_LIMIT},
    room::Room,
    template::Template,
    user::{Role, User},
};

use self::{check::check, quota::Quotas, templates::usable_templates};
use crate::{
    App, Call, PoolView,
    appliance::deploy,
    audit,
    grant::{Wish, deal, grant, tell_granted},
    lease::lease_of,
    ports::{Grant, NewPool, Topic, Warm},
    prove,
    queue::{TURN, alive_until, for_pool},
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
    granted: Vec<Warm>,
    /// The owner's user groups.
    user_groups: Vec<UserGroupId>,
    /// Templates of those that are deployed at once.
    placed: Vec<Template>,
}

impl Plan {
    fn missing(&self) -> u32 {
        let got = self.granted.len() + self.placed.len();
        self.new.count.saturating_sub(u32::try_from(got).unwrap_or(u32::MAX))
    }

    /// What it could have of what is warm.
    fn wish(&self) -> Wish {
        let templates = if self.new.is_plain() { self.templates.iter().map(|t| t.id).collect() } else { Vec::new() };
        let user_groups = self.user_groups.clone();
        Wish { group: self.new.group.clone(), user_groups, templates, count: self.new.count }
    }

    /// Takes room for what is missing, as far as there is any.
    fn place(&mut self, rooms: &mut BTreeMap<ProviderKey, Room>) {
        let overrides = (self.new.memory_mib, self.new.cpus);
        let templates: Vec<_> = self.templates.iter().collect();
        while self.missing() > 0 {
            let Some(template) = choose(&templates, overrides, rooms, None) else { break };
            if let Some(room) = rooms.get_mut(&template.provider) {
                let need = room.need(overrides.0, overrides.1);
                room.take(&need);
            }
            self.placed.push(template.clone());
        }
    }

    /// What is complete from the start is inserted so; what has a part of what it wants does not merely wait.
    fn begin(&mut self) {
        self.new.waiting_count = self.missing();
        let event = match (self.new.count, self.granted.len()) {
            (0, _) => Some(PoolEvent::Empty),
            (count, granted) if granted as u64 == u64::from(count) && self.granted.iter().all(|warm| warm.proven) => {
                Some(PoolEvent::Fulfilled)
            }
            (_, 0) => None,
            _ => Some(PoolEvent::Dispatched),
        };
        if let Some(state) = event.and_then(|event| self.new.state.after(event)) {
            self.new.state = state;
        }
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
        let pool = known.iter().find(|p| p.requester_id == caller.id && p.request_id == request.request_id)?;
        if pool.fingerprint != fingerprint(request) {
            let message = format!(
                "request id {} was used for pool {}, which asked for something else; make a new id for each request",
                request.request_id, pool.id
            );
            return Some(Err(Error::new(Reason::RequestIdReused, message).with("pool_id", pool.id.to_string())));
        }
        let mine = appliances.iter().filter(|a| a.pool_id == Some(pool.id)).cloned().collect();
        Some(Ok(RequestedPool { view: PoolView { pool: pool.clone(), appliances: mine, place: None }, repeated: true }))
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
    let fresh: Vec<_> = fresh.map(|((caller, ..), _)| caller).collect();
    // Users are locked before all else.
    let mut quotas = Quotas::read(work, fresh.iter().copied()).await?;
    let sights = Sights::read(work.tx.as_mut(), fresh.into_iter()).await?;
    let visible: Vec<Visible> = asked.iter().map(|(caller, ..)| sights.of(caller)).collect();
    for (index, (caller, request, _)) in asked.iter().enumerate() {
        if answers[index].is_some() {
            continue;
        }
        let now = work.tx.now();
        let alike = |plan: &&Plan| {
            let (_, other, _) = &asked[plan.index];
            visible[plan.index] == visible[index]
                && (&other.group, &other.version, other.date, &other.provider)
                    == (&request.group, &request.version, request.date, &request.provider)
                && (&other.provider_type, other.template_type, other.unconfigured)
                    == (&request.provider_type, request.template_type, request.unconfigured)
        };
        let lease = catalogue
            .group(&request.group)
            .and_then(|group| lease::checked(request.lease, group))
            .and_then(|lease| check(catalogue, caller, request, &visible[index]).map(|()| lease))
            .and_then(|lease| quotas.allow(caller.id, request.count).map(|()| lease));
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
            update: request.update,
            priority: request.priority.unwrap_or(if caller.role == Role::Bot {
                Priority::Batch
            } else {
                Priority::Interactive
            }),
            waiting_count: 0,
            keep_alive: request.keep_alive,
            alive_until: alive_until(now, request.keep_alive),
            wait_until: Some(lease::end(now, request.wait_limit.unwrap_or(WAIT_LIMIT))),
            state: PoolState::Waiting,
        };
        quotas.take(caller.id, request.count);
        plans.push(Plan {
            index,
            new,
            templates,
            user_groups: sights.user_groups(caller),
            granted: Vec::new(),
            placed: Vec::new(),
        });
    }
    Ok(plans)
}

/// Makes the pools: grants what is warm, in the order of the requests, deploys what there is room for, and lets the rest wait.
async fn fill(work: &mut Work, mut plans: Vec<Plan>) -> Result<Vec<(usize, PoolView)>> {
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let wishes: Vec<_> = plans.iter().map(Plan::wish).collect();
    for (plan, granted) in plans.iter_mut().zip(deal(work, &wishes, true).await?) {
        plan.granted = granted;
    }
    place(work, &mut plans).await?;
    for plan in &mut plans {
        plan.begin();
    }
    let pools = work.tx.insert_pools(plans.iter().map(|plan| plan.new.clone()).collect()).await?;
    let grants = grants(&work.catalogue, work.tx.now(), &plans, &pools);
    let mut appliances = grant(work, &grants).await?;
    for pool in &pools {
        tell_requested(work, pool);
    }
    tell_granted(work, &appliances);
    for pool in &pools {
        tell_state(work, pool);
    }
    let wanted = plans
        .iter()
        .zip(&pools)
        .flat_map(|(plan, pool)| plan.placed.iter().map(|template| (template.clone(), for_pool(pool))));
    appliances.extend(deploy(work, wanted.collect()).await?);
    appliances.sort_by_key(|appliance| appliance.id);
    let view = |(plan, pool): (&Plan, Pool)| {
        let mine = appliances.iter().filter(|a| a.pool_id == Some(pool.id)).cloned().collect();
        (plan.index, PoolView { pool, appliances: mine, place: None })
    };
    Ok(plans.iter().zip(pools).map(view).collect())
}

fn grants(catalogue: &Catalogue, now: Timestamp, plans: &[Plan], pools: &[Pool]) -> Vec<Grant> {
    let each = |(plan, pool): (&Plan, &Pool)| {
        let lease = (pool.state == PoolState::Ready).then(|| lease_of(catalogue, now, pool));
        let grant = |warm: &Warm| prove::bound(*warm, pool.id, lease);
        plan.granted.iter().map(grant).collect::<Vec<_>>()
    };
    plans.iter().zip(pools).flat_map(each).collect()
}

/// Finds room for what was not warm, if it is this transaction's turn to do so and nobody waits who would be overtaken.
async fn place(work: &mut Work, plans: &mut [Plan]) -> Result<()> {
    let cold = || plans.iter().filter(|plan| plan.missing() > 0);
    let keys: BTreeSet<_> = cold().flat_map(|plan| plan.templates.iter().map(|t| t.provider.clone())).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = keys.into_iter().collect();
    // For those who are left waiting, and for the time limits of all.
    work.wake(Topic::Queue);
    if !work.tx.try_turn(TURN).await? || work.tx.somebody_waits_for(&keys).await? {
        return Ok(());
    }
    let mut rooms = work.tx.room(&keys).await?;
    for plan in plans.iter_mut() {
        plan.place(&mut rooms);
    }
    Ok(())
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

fn tell_state(work: &mut Work, pool: &Pool) {
    let says = match pool.state {
        PoolState::Ready => {
            work.wake(Topic::Leases);
            let until = lease::end(work.tx.now(), pool.lease);
            format!("ready, leased until {}", until.format("%F %T UTC"))
        }
        PoolState::Ended => "ended: it asked for no appliance".to_owned(),
        PoolState::Provisioning => "provisioning: a part of it was warm".to_owned(),
        PoolState::Waiting | PoolState::Ending | PoolState::Failed => return,
    };
    work.emit_pool(EventKind::PoolState, pool, format!("pool {} is {says}", pool.id));
}
