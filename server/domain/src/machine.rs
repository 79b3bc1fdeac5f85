//! Machines: what a listing of a provider shows, ours or not, and whose each one is.
//!
//! ```text
//! carries our tag ─ its appliance is known, and called so ───────→ tracked
//!                 ─ its appliance is gone, and was called so ────→ leaked: deleted (see `leftover`)
//!                 ─ no appliance of that number was ever known ──→ lost: its record is rebuilt
//!                 ─ its appliance is, or was, called otherwise ──→ stray: left alone, but for clean-up rules
//! another's tag, or none ─ an appliance that is there has its name → tracked
//! another's tag   ───────────────────────────────────────────────→ foreign: left alone
//! no tag          ───────────────────────────────────────────────→ untracked: left alone, but for clean-up rules
//! ```
//! A listing is a snapshot that began at some moment. Rows are written before the machine is made, and gone is final, so one that is read after the
//! listing ended can only know more than the listing.

pub mod leftover;
pub mod observe;
pub mod order;

use std::fmt;

use crate::{
    ApplianceId, ProviderKey, Timestamp,
    appliance::{ApplianceState, PowerState},
    group::{Endpoint, EndpointSpec},
};

/// Whose marks a machine carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marks {
    /// None of any Sprout.
    None,
    /// This installation's, of this appliance.
    Ours(ApplianceId),
    /// Another installation's.
    Others,
}

/// A port that answers elsewhere than at its machine's address under its own number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// The port inside.
    pub port: u16,
    /// The host at which it answers.
    pub host: String,
    /// The port there.
    pub host_port: u16,
}

/// A machine as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its power.
    pub power: PowerState,
    /// Whose marks it carries.
    pub marks: Marks,
    /// Its address; told of ours only, if it is on and has one.
    pub address: Option<String>,
    /// Ports published elsewhere; of ours only.
    pub published: Vec<PublishedPort>,
    /// Where its screen can be seen; of ours only.
    pub console_url: Option<String>,
}

/// Whose a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MachineKind {
    /// An appliance's.
    Tracked,
    /// Nobody's that we know of.
    Untracked,
    /// Another installation's.
    Foreign,
    /// Its appliance is gone, and it is there.
    Leaked,
    /// It carries our tag with a number that no appliance has.
    Lost,
    /// It carries the tag of an appliance that is, or was, called otherwise.
    Stray,
}

/// A machine as the last refresh left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Where it is.
    pub provider: ProviderKey,
    /// Its name there.
    pub name: String,
    /// Its power.
    pub power: PowerState,
    /// Whose it is.
    pub kind: MachineKind,
    /// The appliance that it is, or whose tag it carries.
    pub appliance_id: Option<ApplianceId>,
    /// How many listings one after the other showed it as this kind; no more are counted than matter.
    pub sightings: u32,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// Since when it is of this kind.
    pub since: Timestamp,
    /// Someone has said that it may go although so many would go at once.
    pub approved: bool,
    /// Why it could not be deleted the last time; empty if nobody tried.
    pub problem: String,
}

/// What the database knows of an appliance whose tag a machine carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The appliance.
    pub id: ApplianceId,
    /// Its name.
    pub name: String,
    /// The name it may have been given.
    pub new_name: Option<String>,
    /// When it was proven absent.
    pub gone_at: Option<Timestamp>,
    /// It is another provider's.
    pub elsewhere: bool,
}

impl Known {
    /// It is, or may be, called so.
    pub fn is_called(&self, name: &str) -> bool {
        !self.elsewhere && (self.name == name || self.new_name.as_deref() == Some(name))
    }
}

impl MachineKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Tracked, Self::Untracked, Self::Foreign, Self::Leaked, Self::Lost, Self::Stray];

    /// Name in tables and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tracked => "tracked",
            Self::Untracked => "untracked",
            Self::Foreign => "foreign",
            Self::Leaked => "leaked",
            Self::Lost => "lost",
            Self::Stray => "stray",
        }
    }

    /// Whose a machine is that a listing begun at `began` shows. `tagged`: the appliance of its tag, if there ever was one; `named`: the appliance
    /// that is there, or is about to be, under its name.
    pub fn of(
        listed: &Listed,
        tagged: Option<&Known>,
        named: Option<ApplianceId>,
        began: Timestamp,
    ) -> (Self, Option<ApplianceId>) {
        let id = match (listed.marks, named) {
            (Marks::Ours(id), _) => id,
            (_, Some(named)) => return (Self::Tracked, Some(named)),
            (Marks::None, None) => return (Self::Untracked, None),
            (Marks::Others, None) => return (Self::Foreign, None),
        };
        let kind = match tagged {
            None if named.is_some() => Self::Stray,
            None => Self::Lost,
            // Deleted while the listing was made.
            Some(known) if known.gone_at.is_some_and(|gone| gone >= began) => Self::Tracked,
            Some(known) if !known.is_called(&listed.name) => Self::Stray,
            Some(known) if known.gone_at.is_some() => Self::Leaked,
            Some(_) => Self::Tracked,
        };
        (kind, Some(id))
    }
}

impl fmt::Display for MachineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Listed {
    /// Where its services answer; none while one of them cannot be located. As workers tell it of one that they deploy.
    pub fn located(&self, specs: &[EndpointSpec]) -> Option<(String, Vec<Endpoint>)> {
        let endpoint = |spec: &EndpointSpec| {
            let published = self.published.iter().find(|published| published.port == spec.port);
            let (host, port) = match (published, &self.address) {
                (Some(published), _) => (published.host.clone(), published.host_port),
                (None, Some(address)) => (address.clone(), spec.port),
                (None, None) => return None,
            };
            let url = spec.scheme.as_deref().filter(|scheme| !scheme.is_empty());
            let url = url.map(|scheme| url_of(scheme, &host, port));
            Some(Endpoint { name: spec.name.clone(), host, port, url })
        };
        let endpoints = specs.iter().map(endpoint).collect::<Option<Vec<_>>>()?;
        let address = self.address.clone().or_else(|| endpoints.first().map(|endpoint| endpoint.host.clone()))?;
        Some((address, endpoints))
    }
}

/// A URL without the port where the scheme implies it.
fn url_of(scheme: &str, host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match (scheme, port) {
        ("http", 80) | ("https", 443) | ("ssh", 22) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

/// States of which a refresh decides: nothing is under way, and it should be there, or is missing.
pub(crate) const AT_REST: [ApplianceState; 4] =
    [ApplianceState::Ready, ApplianceState::Off, ApplianceState::Suspended, ApplianceState::Orphaned];

#[cfg(test)]
mod tests;
