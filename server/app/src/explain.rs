//! Why a pool waits: its place in the line, an estimate and what that rests on, and what stands in the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use sprout_domain::{
    PoolId, ProviderKey, Result, Timestamp,
    appliance::Appliance,
    lease,
    pool::{Pool, PoolState},
    queue::Place,
    room::{NoRoom, Room},
    user::User,
};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    App, PoolView,
    pool::{owned, view},
    ports::Tx,
    queue::Round,
    served::Service,
};

/// So many deployments tell how long one takes.
const SAMPLES: u64 = 20;
/// How old the places may be that are told to those who merely look.
const FRESH: Duration = Duration::from_millis(500);

/// One thing that stands in the way of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitReason {
    /// It passes only if someone does something about it.
    pub never: bool,
    /// For programs: `UPPER_SNAKE_CASE`.
    pub code: &'static str,
    /// For people: one sentence.
    pub message: String,
    /// The provider it is about.
    pub provider: Option<ProviderKey>,
    /// When it is expected to have passed.
    pub until: Option<Timestamp>,
}

/// Why a pool waits. Of one that does not wait, little more than the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The pool, with its place.
    pub view: PoolView,
    /// When all of it is likely to be ready, from now; none: nothing is known to tell it from.
    pub ready_in: Option<Duration>,
    /// What the estimate rests on, or why there is none.
    pub basis: String,
    /// What stands in the way.
    pub reasons: Vec<WaitReason>,
}

/// Where a pool is in the line, and the first thing that stands in its way.
#[derive(Debug, Clone)]
struct Standing {
    place: Place,
    reason: String,
}

/// The places of all who wait, for those who look; many looks share one.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Option<Seen>>);

/// When it was looked, and how each pool stood then.
type Seen = (Instant, Arc<BTreeMap<PoolId, Standing>>);

impl Places {
    async fn of(&self, tx: &mut dyn Tx, app: &App, pool: PoolId) -> Result<Option<Standing>> {
        let mut known = self.0.lock().await;
        if let Some((read_at, places)) = &*known
            && read_at.elapsed() < FRESH
            && let Some(standing) = places.get(&pool)
        {
            return Ok(Some(standing.clone()));
        }
        let round = Round::read(tx, &app.catalogue()).await?;
        let service = app.service(tx).await?;
        let places = round.line(tx.now()).places();
        let standing = |(id, place): (PoolId, Place)| {
            let pool = &round.waiting.get(&id)?.pool;
            let reason = reasons(&round, &service, pool, &BTreeMap::new()).into_iter().next()?.message;
            Some((id, Standing { place, reason }))
        };
        let places: Arc<BTreeMap<_, _>> = Arc::new(places.into_iter().filter_map(standing).collect());
        *known = Some((Instant::now(), places.clone()));
        Ok(places.get(&pool).cloned())
    }
}

impl App {
    /// Adds to a pool that waits its place, and says so in its status.
    pub(crate) async fn with_place(&self, tx: &mut dyn Tx, mut view: PoolView) -> Result<PoolView> {
        if !waits(&view.pool) {
            return Ok(view);
        }
        if let Some(Standing { place, reason }) = self.places.of(tx, self, view.pool.id).await? {
            let failed = if view.pool.status.is_empty() { String::new() } else { format!("; {}", view.pool.status) };
            view.pool.status = format!("number {} in line: {reason}{failed}", place.first);
            view.place = Some(place);
        }
        Ok(view)
    }

    /// Says why a pool waits.
    pub async fn explain_pool(&self, caller: &User, id: PoolId) -> Result<Explanation> {
        let mut tx = self.ports.store.read().await?;
        let tx = tx.as_mut();
        let pool = owned(tx, caller, id).await?;
        let mut view = view(tx, pool).await?;
        if !is_unfulfilled(&view.pool) {
            let basis = format!("the pool is {}: it waits for nothing", view.pool.state);
            return Ok(Explanation { view, ready_in: None, basis, reasons: Vec::new() });
        }
        let times = tx.deployment_times(&view.pool.group, SAMPLES).await?;
        let service = self.service(tx).await?;
        let stopped = stopped(&service, &view.appliances);
        if !waits(&view.pool) {
            let (mut ready_in, mut basis) = of_deployments(tx.now(), &view, times);
            if !stopped.is_empty() {
                (ready_in, basis) = (None, "nobody goes on with some of it; see the reasons".to_owned());
            }
            return Ok(Explanation { view, ready_in, basis, reasons: stopped });
        }
        let round = Round::read(tx, &self.catalogue()).await?;
        let keys: BTreeSet<_> = round.candidates(&view.pool).iter().map(|t| t.provider.clone()).collect();
        let ends = tx.next_lease_ends(&keys.into_iter().collect::<Vec<_>>()).await?;
        let mut reasons = reasons(&round, &service, &view.pool, &ends);
        reasons.extend(stopped);
        view.place = round.line(tx.now()).places().get(&id).copied();
        let (ready_in, basis) = of_queue(tx.now(), &round, &view, &reasons, times);
        Ok(Explanation { view, ready_in, basis, reasons })
    }
}

fn is_unfulfilled(pool: &Pool) -> bool {
    matches!(pool.state, PoolState::Waiting | PoolState::Provisioning)
}

/// Whether it waits for room, and not only for what is being deployed.
pub(crate) fn waits(pool: &Pool) -> bool {
    is_unfulfilled(pool) && pool.waiting_count > 0
}

/// What stands in the way of a pool; what passes by itself first. `ends`: when the next lease on a provider does.
fn reasons(round: &Round, service: &Service, pool: &Pool, ends: &BTreeMap<ProviderKey, Timestamp>) -> Vec<WaitReason> {
    let candidates = round.candidates(pool);
    if candidates.is_empty() {
        return vec![no_candidate(round, service, pool)];
    }
    let keys: BTreeSet<&ProviderKey> = candidates.iter().map(|template| &template.provider).collect();
    let reasons =
        keys.into_iter().filter_map(|key| Some(at(key, round.rooms.get(key)?, service, pool, ends.get(key).copied())));
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort_by_key(|reason| reason.never);
    reasons
}

/// What stands in the way of appliances that are under way where nobody goes on with them, once for each provider.
fn stopped(service: &Service, appliances: &[Appliance]) -> Vec<WaitReason> {
    let stopped = |appliance: &Appliance| Some((appliance.provider.clone(), service.stopped(appliance)?));
    let by_provider: BTreeMap<_, _> = appliances.iter().filter(|a| a.ready_at.is_none()).filter_map(stopped).collect();
    by_provider.into_iter().map(|(key, why)| unserved(service, &key, &why)).collect()
}

/// Nobody works on a provider.
fn unserved(service: &Service, key: &ProviderKey, why: &str) -> WaitReason {
    // A worker may come back by itself.
    let (never, code) = if service.is_configured(key) { (false, "NO_WORKER") } else { (true, "NOT_CONFIGURED") };
    WaitReason { never, code, message: format!("{key}: {why}"), provider: Some(key.clone()), until: None }
}

fn no_candidate(round: &Round, service: &Service, pool: &Pool) -> WaitReason {
    let Pool { group, version, .. } = pool;
    let lost = round.of_kind(pool).iter().map(|template| &template.provider).find(|key| !service.is_configured(key));
    if let Some(key) = lost
        && let Some(why) = service.missing(key)
    {
        return unserved(service, key, &why);
    }
    let seen = round.of_kind(pool).iter().any(|template| round.sees(pool, &template.provider));
    let (code, message) = if seen || round.of_kind(pool).is_empty() {
        let message = format!(
            "no template of {group} {version} that fits is left; kill the pool and request another version, see `sproutctl template list`"
        );
        ("NO_TEMPLATE", message)
    } else {
        let message = format!(
            "you are in no user group with a provider that has {group} {version} any more; ask an administrator"
        );
        ("NOT_VISIBLE", message)
    };
    WaitReason { never: true, code, message, provider: None, until: None }
}

/// What stands in the way on one provider.
fn at(key: &ProviderKey, room: &Room, service: &Service, pool: &Pool, next_end: Option<Timestamp>) -> WaitReason {
    let need = room.need(pool.memory_mib, pool.cpus);
    let reason = |never: bool, code, says: String, until| WaitReason {
        never,
        code,
        message: format!("{key}: {says}"),
        provider: Some(key.clone()),
        until,
    };
    if let Some(missing) = room.never(&need) {
        let says = format!("what was asked for is more than fits there at all ({missing})");
        return reason(true, missing.as_str(), says, None);
    }
    let fits = room.fits(&need);
    if fits.err().is_none_or(NoRoom::is_slot)
        && let Some(why) = service.missing(key)
    {
        return unserved(service, key, &why);
    }
    match fits {
        Ok(()) => reason(false, "NEXT", "there is room; it is about to be deployed there".to_owned(), None),
        Err(missing @ NoRoom::Disabled) => reason(true, missing.as_str(), missing.to_string(), None),
        Err(missing @ NoRoom::CircuitOpen { until }) => reason(false, missing.as_str(), missing.to_string(), until),
        Err(missing @ (NoRoom::NotWorking | NoRoom::Slot { .. })) => {
            reason(false, missing.as_str(), missing.to_string(), None)
        }
        Err(missing @ (NoRoom::ApplianceLimit { .. } | NoRoom::Memory { .. } | NoRoom::Cpus { .. })) => {
            reason(false, missing.as_str(), missing.to_string(), next_end)
        }
    }
}

/// When what is under way will be ready.
fn of_deployments(now: Timestamp, view: &PoolView, times: Vec<Duration>) -> (Option<Duration>, String) {
    let Some(one) = median(times) else { return (None, unmeasured(&view.pool)) };
    let unready = view.appliances.iter().filter(|appliance| appliance.state.counts() && appliance.ready_at.is_none());
    let latest = unready.map(|appliance| lease::end(appliance.created_at, one)).max();
    let left = latest.map(|at| (at - now).to_std().unwrap_or_default()).unwrap_or_default();
    (Some(left), format!("all of it is being deployed; {}", measured(&view.pool, one)))
}

/// When all of it will be ready, if others are served before it and take as long as those before.
fn of_queue(
    now: Timestamp,
    round: &Round,
    view: &PoolView,
    reasons: &[WaitReason],
    times: Vec<Duration>,
) -> (Option<Duration>, String) {
    let pool = &view.pool;
    let open: Vec<_> = reasons.iter().filter(|reason| !reason.never).collect();
    if open.is_empty() {
        return (None, "nothing that could serve it comes back by itself; see the reasons".to_owned());
    }
    let (Some(one), Some(place)) = (median(times), view.place) else { return (None, unmeasured(pool)) };
    let rooms = open.iter().filter_map(|reason| round.rooms.get(reason.provider.as_ref()?));
    let slots = rooms.map(|room| room.provisioning_limit).sum::<u32>().max(1);
    // Where all are full for longer, the first of them to have room counts.
    let full = |reason: &&WaitReason| reason.code != "NO_SLOT" && reason.code != "NEXT";
    let pause = if open.iter().all(full) {
        let first = open.iter().filter_map(|reason| reason.until).min();
        match first {
            Some(until) => (until - now).to_std().unwrap_or_default(),
            None => return (None, "nobody knows when there will be room; see the reasons".to_owned()),
        }
    } else {
        Duration::ZERO
    };
    let ready_in = pause + one + one * place.last / slots;
    let basis = format!("{}, {slots} at once; its last one is number {} in line", measured(pool, one), place.last);
    (Some(ready_in), basis)
}

fn measured(pool: &Pool, one: Duration) -> String {
    format!("the last deployments of {} took {:.0} s (median)", pool.group, one.as_secs_f64())
}

fn unmeasured(pool: &Pool) -> String {
    format!("no deployment of {} was measured lately", pool.group)
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
