//! What a listing of a provider makes of an appliance: its power, its address, and whether it is there at all.
//!
//! Judged is only what has been at rest since before the listing began: nothing is under way with it, and nothing of it has changed since. One that
//! two listings in a row do not show is orphaned; whatever shows it again brings it back.

use std::time::Duration;

use super::{AT_REST, Listed};
use crate::{
    ApplianceId, Timestamp,
    appliance::{ApplianceEvent, ApplianceState, PowerState},
    group::{Endpoint, EndpointSpec},
    lease,
};

/// What is known of an appliance before a listing is held against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resting {
    /// The appliance.
    pub id: ApplianceId,
    /// Where it is in its life.
    pub state: ApplianceState,
    /// Power as last observed.
    pub power: PowerState,
    /// Its address.
    pub address: Option<String>,
    /// Where its services answer.
    pub endpoints: Vec<Endpoint>,
    /// Since when it is missing.
    pub missing_since: Option<Timestamp>,
    /// When anything of it last changed.
    pub changed_at: Timestamp,
    /// A workflow is under way with it, or a worker has not let go of it.
    pub busy: bool,
    /// What it is there for.
    pub role: Role,
}

/// What an appliance is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody's: kept warm.
    Warm,
    /// Its pool is not fulfilled yet, and nobody has used it.
    Awaited,
    /// Someone uses it, or holds it.
    Used,
}

/// What becomes of an appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is as it was known, or it is left alone.
    AsKnown,
    /// It is not there for the first time: remember since when.
    Missing,
    /// It is there, and was missing.
    Back,
    /// It is missing.
    Orphaned,
    /// It has been missing for so long that its record goes.
    Forgotten,
    /// Nobody has used it, and it is of no use any more: another one takes its place.
    Useless,
    /// It is otherwise than it was known.
    Seen(Observed),
}

/// How an appliance was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its state from now on.
    pub state: ApplianceState,
    /// Its power.
    pub power: PowerState,
    /// Its address.
    pub address: Option<String>,
    /// Where its services answer.
    pub endpoints: Vec<Endpoint>,
    /// Where its screen can be seen; none: as it was known, unless it is off.
    pub console_url: Option<String>,
}

/// Holds a listing, begun at `began`, against an appliance. `seen`: the machine under its name that carries its tag; `specs`: the services of its
/// group, if that is configured; `grace`: how long an orphan is waited for.
pub fn judge(
    known: &Resting,
    seen: Option<&Listed>,
    specs: Option<&[EndpointSpec]>,
    began: Timestamp,
    grace: Duration,
) -> Verdict {
    if !AT_REST.contains(&known.state) || known.busy || known.changed_at >= began {
        return Verdict::AsKnown;
    }
    match seen {
        Some(listed) => present(known, listed, specs),
        None => absent(known, began, grace),
    }
}

fn absent(known: &Resting, began: Timestamp, grace: Duration) -> Verdict {
    let orphaned = known.state == ApplianceState::Orphaned;
    match known.missing_since {
        // What was missed before it last changed was missed for another reason.
        Some(since) if orphaned || since > known.changed_at => match (orphaned, known.role) {
            _ if since >= began => Verdict::AsKnown,
            (true, _) if lease::end(since, grace) <= began => Verdict::Forgotten,
            (true, _) => Verdict::AsKnown,
            (false, Role::Awaited) => Verdict::Useless,
            (false, _) => Verdict::Orphaned,
        },
        _ => Verdict::Missing,
    }
}

fn present(known: &Resting, listed: &Listed, specs: Option<&[EndpointSpec]>) -> Verdict {
    let back = if known.missing_since.is_some() { Verdict::Back } else { Verdict::AsKnown };
    // Unknown is not absent, nor anything else.
    if !matches!(listed.power, PowerState::On | PowerState::Off | PowerState::Suspended) {
        return back;
    }
    let Some(state) = known.state.after(ApplianceEvent::Seen(listed.power)) else { return back };
    let usable = state == ApplianceState::Ready;
    if !usable && known.role == Role::Awaited {
        return Verdict::Useless;
    }
    // Seen so a second time: the first time took it out of what is handed out.
    if !usable && known.role == Role::Warm && state == known.state && listed.power == known.power {
        return Verdict::Useless;
    }
    let located = specs.and_then(|specs| listed.located(specs)).filter(|_| listed.power == PowerState::On);
    let (address, endpoints) = match (state, located) {
        (ApplianceState::Off, _) => (None, Vec::new()),
        (ApplianceState::Ready, Some((address, endpoints))) => (Some(address), endpoints),
        _ => (known.address.clone(), known.endpoints.clone()),
    };
    let seen = Observed { state, power: listed.power, address, endpoints, console_url: listed.console_url.clone() };
    let same = seen.state == known.state
        && seen.power == known.power
        && seen.address == known.address
        && seen.endpoints == known.endpoints;
    if same { back } else { Verdict::Seen(seen) }
}
