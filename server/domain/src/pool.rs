//! Pools: what may be asked for, and the states a request goes through.
//!
//! ```text
//! waiting ─first slot→ provisioning ─all ready→ ready
//!    any of these ─kill, or every lease over→ ending ─nothing left→ ended
//!    waiting, provisioning ─cannot be fulfilled→ failed
//! ```

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::{
    Error, GroupName, PoolId, ProviderKey, Result, Timestamp, UserId,
    appliance::ApplianceState,
    template::{BuildDate, TemplateType},
    version::Version,
};

/// Where a pool is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolState {
    /// Waits for a slot.
    Waiting,
    /// Some of its appliances are not ready yet.
    Provisioning,
    /// Fulfilled.
    Ready,
    /// Its appliances are being killed.
    Ending,
    /// Nothing of it is left.
    Ended,
    /// It could not be fulfilled.
    Failed,
}

/// What can happen to a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolEvent {
    /// A deployment of it got a slot.
    Dispatched,
    /// Every wanted appliance is ready.
    Fulfilled,
    /// Too many deployments failed, or none can succeed.
    GaveUp,
    /// Its owner ended it, or all its leases ended.
    Kill,
    /// None of its appliances is left.
    Empty,
}

impl PoolState {
    /// All states, in order.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Provisioning, Self::Ready, Self::Ending, Self::Ended, Self::Failed];

    /// The state after `event`, or `None` if the event means nothing in this state.
    pub fn after(self, event: PoolEvent) -> Option<Self> {
        use PoolEvent as E;
        use PoolState as S;
        match (self, event) {
            (S::Waiting, E::Dispatched) => Some(S::Provisioning),
            (S::Waiting | S::Provisioning, E::Fulfilled) => Some(S::Ready),
            (S::Waiting | S::Provisioning, E::GaveUp) => Some(S::Failed),
            (S::Waiting | S::Provisioning | S::Ready, E::Kill) => Some(S::Ending),
            (S::Waiting | S::Provisioning | S::Ready | S::Ending, E::Empty) => Some(S::Ended),
            _ => None,
        }
    }

    /// Nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }

    /// Name in tables, events and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Appliances one pool may have where no quota says less.
pub const MAX_COUNT: u32 = 1000;

/// Deployments of a pool of this many appliances that may fail before it is given up: a few, and one in ten of a large one.
pub fn failures_tolerated(count: u32) -> u32 {
    3 + count / 10
}

/// How long a pool waits for what it wants if its request does not say.
pub const WAIT_LIMIT: Duration = Duration::from_secs(3_600);

/// The shortest wait that may be asked for.
const MIN_WAIT_LIMIT: Duration = Duration::from_secs(1);
/// The longest wait that may be asked for.
const MAX_WAIT_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a client that waits may be silent, if it asked for being missed.
const KEEP_ALIVES: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3600);

/// Who goes first where requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Somebody waits in front of a screen.
    Interactive,
    /// After those.
    Batch,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRequest {
    /// Made by the client, unique per request.
    pub request_id: String,
    /// Group to take templates from.
    pub group: GroupName,
    /// Appliances wanted.
    pub count: u32,
    /// Only this version.
    pub version: Option<Version>,
    /// Only this build date.
    pub date: Option<BuildDate>,
    /// Only this provider.
    pub provider: Option<ProviderKey>,
    /// Lease, from fulfilment on; none: the group's default.
    pub lease: Option<Duration>,
    /// Free text.
    pub description: String,
    /// Memory override in MiB.
    pub memory_mib: Option<u32>,
    /// CPU override.
    pub cpus: Option<u32>,
    /// Only providers of this type.
    pub provider_type: Option<String>,
    /// Only templates of this type.
    pub template_type: Option<TemplateType>,
    /// Of unconfigured templates instead of preconfigured ones.
    pub unconfigured: bool,
    /// Appliances are brought up to date before they are ready; none of them is warm.
    pub update: bool,
    /// Who goes first; none: as the caller's role says.
    pub priority: Option<Priority>,
    /// While it waits it is dropped unless its client said within this time that it still waits.
    pub keep_alive: Option<Duration>,
    /// It fails if it is not fulfilled after this time; none: [`WAIT_LIMIT`].
    pub wait_limit: Option<Duration>,
}

impl PoolRequest {
    /// A request without wishes beyond these.
    pub fn new(request_id: impl Into<String>, group: impl Into<GroupName>, count: u32) -> Self {
        Self {
            request_id: request_id.into(),
            group: group.into(),
            count,
            version: None,
            date: None,
            provider: None,
            lease: None,
            description: String::new(),
            memory_mib: None,
            cpus: None,
            provider_type: None,
            template_type: None,
            unconfigured: false,
            update: false,
            priority: None,
            keep_alive: None,
            wait_limit: None,
        }
    }

    /// Checks all that can be checked without looking anything up.
    pub fn check(&self) -> Result<()> {
        if self.request_id.is_empty() || self.request_id.len() > 64 {
            return Err(Error::invalid(
                "request_id",
                "a request id has 1 to 64 characters; make a UUID for each request",
            ));
        }
        if self.count > MAX_COUNT {
            return Err(Error::invalid("count", format!("a pool has at most {MAX_COUNT} appliances; ask for fewer")));
        }
        no_nul("request_id", &self.request_id)?;
        check_description(&self.description)?;
        if self.memory_mib.is_some_and(|mib| !(16..=1_048_576).contains(&mib)) {
            return Err(Error::invalid("memory_mib", "memory is given in MiB, from 16 to 1048576"));
        }
        if self.cpus.is_some_and(|cpus| !(1..=256).contains(&cpus)) {
            return Err(Error::invalid("cpus", "an appliance has 1 to 256 CPUs"));
        }
        if self.keep_alive.is_some_and(|time| !KEEP_ALIVES.contains(&time)) {
            return Err(Error::invalid("keep_alive", "a keep-alive is from 10 seconds to 1 hour; ask for e.g. 60s"));
        }
        if self.wait_limit.is_some_and(|time| time < MIN_WAIT_LIMIT || time > MAX_WAIT_LIMIT) {
            let sentence = "a request waits for at least a second and at most 7 days; ask for e.g. 2h";
            return Err(Error::invalid("wait_limit", sentence));
        }
        Ok(())
    }

    /// Everything that makes two requests different, but the request id; for telling a repeated request from a reused id.
    pub fn fingerprint(&self) -> String {
        let Self {
            request_id: _,
            group,
            count,
            version,
            date,
            provider,
            lease,
            description,
            memory_mib,
            cpus,
            provider_type,
            template_type,
            unconfigured,
            update,
            priority,
            keep_alive,
            wait_limit,
        } = self;
        // Those that do not want it say what they said before there was any.
        let update = if *update { " update" } else { "" };
        format!(
            "{group:?} {count} {version:?} {date:?} {provider:?} {lease:?} {description:?} {memory_mib:?} {cpus:?} {provider_type:?} \
             {template_type:?} {unconfigured} {priority:?} {keep_alive:?} {wait_limit:?}{update}"
        )
    }
}

/// Checks what someone writes on a pool or an appliance.
pub fn check_description(text: &str) -> Result<()> {
    no_nul("description", text)?;
    if text.len() > 1024 {
        return Err(Error::invalid("description", "a description has at most 1024 bytes; shorten it"));
    }
    Ok(())
}

fn no_nul(field: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        Err(Error::invalid(field, format!("the {field} contains a NUL character; leave it out")))
    } else {
        Ok(())
    }
}

/// In what two pools differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub field: &'static str,
    /// What the one has.
    pub one: String,
    /// What the other has.
    pub other: String,
}

/// One request for N appliances of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Identity.
    pub id: PoolId,
    /// The request id its client gave.
    pub request_id: String,
    /// See [`PoolRequest::fingerprint`], hashed.
    pub fingerprint: String,
    /// Who requested it, by that request id, for good.
    pub requester_id: UserId,
    /// Whose it is.
    pub owner_id: UserId,
    /// Name of the owner.
    pub owner: String,
    /// Group of its appliances.
    pub group: GroupName,
    /// Version of its appliances.
    pub version: Version,
    /// Build date of its appliances.
    pub date: BuildDate,
    /// Provider asked for.
    pub provider: Option<ProviderKey>,
    /// Appliances wanted.
    pub count: u32,
    /// Lease asked for.
    pub lease: Duration,
    /// Free text.
    pub description: String,
    /// Memory override in MiB.
    pub memory_mib: Option<u32>,
    /// CPU override.
    pub cpus: Option<u32>,
    /// Where it is in its life.
    pub state: PoolState,
    /// Why it waits or failed, for people.
    pub status: String,
    /// Deployments of it that failed so far.
    pub failure_count: u32,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When all its appliances were first ready.
    pub fulfilled_at: Option<Timestamp>,
    /// When it ended or failed.
    pub ended_at: Option<Timestamp>,
    /// Only providers of this type.
    pub provider_type: Option<String>,
    /// Only templates of this type.
    pub template_type: Option<TemplateType>,
    /// Of unconfigured templates instead of preconfigured ones.
    pub unconfigured: bool,
    /// Its appliances are brought up to date before they are ready.
    pub update: bool,
    /// Who goes first.
    pub priority: Priority,
    /// Wanted appliances for which there was no slot yet.
    pub waiting_count: u32,
    /// Where a deployment of it failed last.
    pub avoided_provider: Option<ProviderKey>,
    /// How long it stays without a sign of its client, while it waits.
    pub keep_alive: Option<Duration>,
    /// When it is dropped without a sign of its client, while it waits.
    pub alive_until: Option<Timestamp>,
    /// When it fails unless it is fulfilled.
    pub wait_until: Option<Timestamp>,
}

impl Pool {
    /// The first thing that keeps two pools from being one: their owners, or what makes their appliances unlike.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        let kind = |pool: &Self| if pool.unconfigured { "unconfigured" } else { "preconfigured" }.to_owned();
        let template_type = |pool: &Self| {
            match pool.template_type {
                None => "any",
                Some(TemplateType::VirtualMachine) => "virtual machine",
                Some(TemplateType::Container) => "container",
                Some(TemplateType::DockerVm) => "Docker VM",
            }
            .to_owned()
        };
        let updated = |pool: &Self| if pool.update { "brought up to date" } else { "as the template is" }.to_owned();
        let number =
            |number: Option<u32>| number.map_or_else(|| "as the template has it".to_owned(), |n| n.to_string());
        [
            ("owner", self.owner_id == other.owner_id, self.owner.clone(), other.owner.clone()),
            ("group", self.group == other.group, self.group.to_string(), other.group.to_string()),
            ("version", self.version == other.version, self.version.to_string(), other.version.to_string()),
            ("date", self.date == other.date, self.date.to_string(), other.date.to_string()),
            ("kind", self.unconfigured == other.unconfigured, kind(self), kind(other)),
            ("update", self.update == other.update, updated(self), updated(other)),
            ("template type", self.template_type == other.template_type, template_type(self), template_type(other)),
            ("memory", self.memory_mib == other.memory_mib, number(self.memory_mib), number(other.memory_mib)),
            ("CPUs", self.cpus == other.cpus, number(self.cpus), number(other.cpus)),
        ]
        .into_iter()
        .find(|(_, is_same, _, _)| !is_same)
        .map(|(field, _, one, other)| Difference { field, one, other })
    }
}

/// Mean progress of `count` wanted appliances in percent; those not created yet count as 0, an empty pool as done.
pub fn progress_percent(count: u32, states: impl Iterator<Item = ApplianceState>) -> u32 {
    if count == 0 {
        return 100;
    }
    let sum: u32 = states.filter(|s| s.counts()).map(ApplianceState::progress_percent).sum();
    (sum / count).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [PoolEvent; 5] =
        [PoolEvent::Dispatched, PoolEvent::Fulfilled, PoolEvent::GaveUp, PoolEvent::Kill, PoolEvent::Empty];

    #[test]
    fn final_states_are_final_and_reachable_from_all_others() {
        for state in PoolState::ALL {
            for event in EVENTS {
                assert!(!state.is_final() || state.after(event).is_none(), "{state} {event:?}");
            }
            assert_eq!(state.after(PoolEvent::Empty).is_some(), !state.is_final(), "{state}");
        }
    }

    #[test]
    fn time_limits_that_make_no_sense_are_refused_by_their_field() {
        let of = |keep_alive, wait_limit| PoolRequest {
            keep_alive: Some(Duration::from_secs(keep_alive)),
            wait_limit: Some(Duration::from_secs(wait_limit)),
            ..PoolRequest::new("r", "g", 1)
        };
        for (keep_alive, wait_limit) in [(10, 1), (3600, 7 * 24 * 3600)] {
            assert_eq!(of(keep_alive, wait_limit).check(), Ok(()));
        }
        for (keep_alive, wait_limit, field) in [(9, 1, "keep_alive"), (3601, 1, "keep_alive"), (10, 0, "wait_limit")] {
            assert_eq!(of(keep_alive, wait_limit).check().unwrap_err().metadata, [("field", field.to_owned())]);
        }
        assert!(of(10, 7 * 24 * 3600 + 1).check().is_err());
    }

    #[test]
    fn a_pool_is_fulfilled_once() {
        for state in PoolState::ALL {
            if state.after(PoolEvent::Fulfilled).is_some() {
                assert!(state < PoolState::Ready);
            }
        }
    }

    #[test]
    fn progress_is_the_mean_over_the_wanted() {
        use ApplianceState::{Cloning, Failed, Ready};
        assert_eq!(progress_percent(0, [].into_iter()), 100);
        assert_eq!(progress_percent(2, [Ready].into_iter()), 50);
        assert_eq!(progress_percent(2, [Ready, Cloning, Failed].into_iter()), 60);
        assert_eq!(progress_percent(2, [Ready, Ready].into_iter()), 100);
    }
}
