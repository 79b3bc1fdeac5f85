//! Appliances and the states they go through.
//!
//! ```text
//! requested ─dispatch→ cloning ─tagged→ starting ─addressed→ preparing ─proven→ ready ─doubted→ preparing
//!     any of these ─broke→ failed            any but gone ─kill→ killing ─proven absent→ gone
//!     requested ─kill→ gone (nothing was asked of the provider)      killing ─forgotten→ gone (its provider is not configured any more)
//!
//!     ready, suspended ─stop→ stopping ─seen off→ off            ready ─suspend→ suspending ─seen suspended→ suspended
//!     ready, off, suspended ─start→ starting ─…→ ready            (also to continue and to restart)
//!     ready, off, suspended, orphaned ─reset→ stopping ─proven absent→ requested ─dispatch→ …→ ready
//! ```
//! An operation that fails, or is ended early, leaves what was seen last: off, suspended, orphaned where nothing is there, else ready.
//!
//! Power state is what was last observed on the provider, a field of its own: unknown is not off, nor absent.

use std::fmt;

use crate::{
    ApplianceId, GroupName, PoolId, ProviderKey, TemplateId, Timestamp, UserGroupId,
    group::Endpoint,
    template::{BuildDate, TemplateType},
    version::Version,
};

/// Where an appliance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplianceState {
    /// Wanted; nothing was asked of the provider yet.
    Requested,
    /// A clone was asked for.
    Cloning,
    /// There and tagged; being powered on.
    Starting,
    /// Has an address; has not proven ready.
    Preparing,
    /// Proven ready.
    Ready,
    /// Being powered off by request.
    Stopping,
    /// Off by request.
    Off,
    /// Being suspended by request.
    Suspending,
    /// Suspended by request.
    Suspended,
    /// Being stopped and deleted.
    Killing,
    /// Proven absent.
    Gone,
    /// Its deployment failed.
    Failed,
    /// Missing on the provider.
    Orphaned,
}

/// What can happen to an appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApplianceEvent {
    /// Its clone step was given to a worker.
    Dispatched,
    /// It is there and carries our tags.
    Tagged,
    /// It has an address.
    Addressed,
    /// All probes passed.
    Proven,
    /// Its proof is old: it has to prove again that it is ready.
    Doubted,
    /// Its deployment failed for good.
    Broke,
    /// Someone, or its lease, ended it.
    Kill,
    /// It was proven absent, after a kill, or where it is to be made anew.
    Absent,
    /// Nobody can ever prove it absent: its record is given up.
    Forgotten,
    /// It is to be powered off.
    Stop,
    /// It is to be suspended.
    Suspend,
    /// It is to be powered on, continued or restarted.
    Start,
    /// It is to be made anew.
    Reset,
    /// An operation has ended, well or not, and this is how its power was seen last.
    Seen(PowerState),
}

impl ApplianceState {
    /// All states, in order.
    pub const ALL: [Self; 13] = [
        Self::Requested,
        Self::Cloning,
        Self::Starting,
        Self::Preparing,
        Self::Ready,
        Self::Stopping,
        Self::Off,
        Self::Suspending,
        Self::Suspended,
        Self::Killing,
        Self::Gone,
        Self::Failed,
        Self::Orphaned,
    ];

    /// States in which it takes a provisioning slot of its provider.
    pub const PROVISIONING: [Self; 3] = [Self::Cloning, Self::Starting, Self::Preparing];

    /// The state after `event`, or `None` if the event means nothing in this state.
    #[expect(clippy::match_same_arms, reason = "one line for each way to go")]
    pub fn after(self, event: ApplianceEvent) -> Option<Self> {
        use ApplianceEvent as E;
        use ApplianceState as S;
        match (self, event) {
            (S::Requested, E::Dispatched) => Some(S::Cloning),
            (S::Cloning, E::Tagged) => Some(S::Starting),
            (S::Starting, E::Addressed) => Some(S::Preparing),
            (S::Preparing, E::Proven) => Some(S::Ready),
            (S::Ready, E::Doubted) => Some(S::Preparing),
            (S::Requested | S::Cloning | S::Starting | S::Preparing | S::Stopping | S::Suspending, E::Broke) => {
                Some(S::Failed)
            }
            (S::Ready | S::Suspended, E::Stop) | (S::Ready | S::Off | S::Suspended | S::Orphaned, E::Reset) => {
                Some(S::Stopping)
            }
            (S::Ready, E::Suspend) => Some(S::Suspending),
            (S::Ready | S::Off | S::Suspended, E::Start) => Some(S::Starting),
            (S::Stopping, E::Absent) => Some(S::Requested),
            (S::Killing | S::Gone | S::Failed, E::Seen(_)) => None,
            (_, E::Seen(power)) => Some(power.at_rest()),
            (S::Requested, E::Kill) | (S::Killing, E::Absent | E::Forgotten) => Some(S::Gone),
            (S::Killing | S::Gone, E::Kill) => None,
            (_, E::Kill) => Some(S::Killing),
            _ => None,
        }
    }

    /// Counts towards what its pool wants: it is ready, usable, or on its way there.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Killing | Self::Gone | Self::Failed | Self::Orphaned)
    }

    /// Name in tables, events and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Cloning => "cloning",
            Self::Starting => "starting",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Off => "off",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Killing => "killing",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::Orphaned => "orphaned",
        }
    }

    /// Progress of its deployment in percent.
    pub fn progress_percent(self) -> u32 {
        match self {
            Self::Requested | Self::Failed | Self::Killing | Self::Gone | Self::Orphaned => 0,
            Self::Cloning => 20,
            Self::Starting => 40,
            Self::Preparing => 70,
            Self::Ready | Self::Stopping | Self::Off | Self::Suspending | Self::Suspended => 100,
        }
    }
}

impl fmt::Display for ApplianceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Power state as last observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PowerState {
    /// Not observed, or the provider could not say.
    Unknown,
    /// Running.
    On,
    /// Not running.
    Off,
    /// Paused, or saved to disk.
    Suspended,
    /// Between two states.
    Changing,
    /// Proven absent.
    Absent,
}

impl PowerState {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Unknown, Self::On, Self::Off, Self::Suspended, Self::Changing, Self::Absent];

    /// Where an appliance is in its life that was ready once, has this power, and of which nothing is wanted just now.
    fn at_rest(self) -> ApplianceState {
        match self {
            Self::Unknown | Self::On | Self::Changing => ApplianceState::Ready,
            Self::Off => ApplianceState::Off,
            Self::Suspended => ApplianceState::Suspended,
            Self::Absent => ApplianceState::Orphaned,
        }
    }
}

/// One VM or container.
#[derive(Debug, Clone, PartialEq)]
pub struct Appliance {
    /// Identity.
    pub id: ApplianceId,
    /// Name on the provider, decided before the first call to it.
    pub name: String,
    /// Where it is in its life.
    pub state: ApplianceState,
    /// Power as last observed.
    pub power: PowerState,
    /// Where it runs.
    pub provider: ProviderKey,
    /// Product line.
    pub group: GroupName,
    /// Template it is cloned from.
    pub template_id: TemplateId,
    /// Name of that template on the provider.
    pub template: String,
    /// Version of that template.
    pub version: Version,
    /// Build date of that template.
    pub date: BuildDate,
    /// Its pool; none: warm.
    pub pool_id: Option<PoolId>,
    /// Its address.
    pub address: Option<String>,
    /// Where its services answer.
    pub endpoints: Vec<Endpoint>,
    /// The provider's id of it.
    pub provider_ref: Option<String>,
    /// A clone was asked for whose outcome was never learnt.
    pub clone_unconfirmed: bool,
    /// One line on what it does, for people.
    pub status: String,
    /// When `status` was set.
    pub status_changed_at: Timestamp,
    /// Memory override in MiB.
    pub memory_mib: Option<u32>,
    /// CPU override.
    pub cpus: Option<u32>,
    /// When it was wanted.
    pub created_at: Timestamp,
    /// When it first proved ready.
    pub ready_at: Option<Timestamp>,
    /// When its lease started.
    pub leased_at: Option<Timestamp>,
    /// When its lease ends; none: not leased, or never ends.
    pub leased_until: Option<Timestamp>,
    /// When it last proved ready.
    pub proven_at: Option<Timestamp>,
    /// Until when it is held.
    pub held_until: Option<Timestamp>,
    /// Why it is held; empty if it is not.
    pub hold_reason: String,
    /// Free text of its owner.
    pub description: String,
    /// Cloned from an unconfigured template: ready means on.
    pub unconfigured: bool,
    /// Type of its template.
    pub template_type: TemplateType,
    /// The name it is being given, reserved on its provider.
    pub new_name: Option<String>,
    /// Size of the disk attached to it, in MiB.
    pub disk_mib: Option<u64>,
    /// Size of the disk it is to have.
    pub wanted_disk_mib: Option<u64>,
    /// The user group it is kept warm for.
    pub user_group_id: Option<UserGroupId>,
    /// Since when it is missing on its provider.
    pub missing_since: Option<Timestamp>,
    /// Name of the owner of its pool.
    pub owner: Option<String>,
    /// Name of the user group it is kept warm for.
    pub user_group: Option<String>,
    /// Type of its provider.
    pub provider_type: String,
    /// When any of this last changed.
    pub changed_at: Timestamp,
    /// Where its screen can be seen.
    pub console_url: Option<String>,
    /// Since when killing it is known not to get on.
    pub stuck_since: Option<Timestamp>,
    /// The template that it is made into: it is nobody's then, and never ready.
    pub prepares: Option<TemplateId>,
    /// The key that its SSH server showed first, as in an `authorized_keys` file.
    pub host_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that can happen.
    fn events() -> impl Iterator<Item = ApplianceEvent> {
        use ApplianceEvent as E;
        let plain = [
            E::Dispatched,
            E::Tagged,
            E::Addressed,
            E::Proven,
            E::Doubted,
            E::Broke,
            E::Kill,
            E::Absent,
            E::Forgotten,
            E::Stop,
            E::Suspend,
            E::Start,
            E::Reset,
        ];
        plain.into_iter().chain(PowerState::ALL.map(E::Seen))
    }

    #[test]
    fn nothing_leaves_gone_and_killing_only_ends_in_gone() {
        for event in events() {
            assert_eq!(ApplianceState::Gone.after(event), None, "{event:?}");
            assert!(matches!(ApplianceState::Killing.after(event), None | Some(ApplianceState::Gone)), "{event:?}");
        }
    }

    #[test]
    fn every_state_but_gone_and_killing_can_be_killed() {
        for state in ApplianceState::ALL {
            let killable = !matches!(state, ApplianceState::Gone | ApplianceState::Killing);
            assert_eq!(state.after(ApplianceEvent::Kill).is_some(), killable, "{state}");
        }
    }

    #[test]
    fn what_was_asked_of_the_provider_is_never_forgotten_without_a_proof() {
        for state in ApplianceState::ALL {
            for event in events() {
                if state.after(event) == Some(ApplianceState::Gone) {
                    assert!(
                        (state, event) == (ApplianceState::Requested, ApplianceEvent::Kill)
                            || (state, event) == (ApplianceState::Killing, ApplianceEvent::Absent)
                            // Only a superuser, where nobody can prove anything.
                            || (state, event) == (ApplianceState::Killing, ApplianceEvent::Forgotten),
                        "{state} {event:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn operations_go_through_their_states_and_back() {
        use ApplianceEvent as E;
        use ApplianceState as S;
        let walk = |from: S, events: &[E]| events.iter().copied().try_fold(from, super::ApplianceState::after);
        assert_eq!(walk(S::Ready, &[E::Stop]), Some(S::Stopping));
        assert_eq!(walk(S::Ready, &[E::Stop, E::Seen(PowerState::Off)]), Some(S::Off));
        assert_eq!(walk(S::Ready, &[E::Suspend, E::Seen(PowerState::Suspended)]), Some(S::Suspended));
        for from in [S::Ready, S::Off, S::Suspended] {
            assert_eq!(walk(from, &[E::Start]), Some(S::Starting));
            assert_eq!(walk(from, &[E::Start, E::Addressed, E::Proven]), Some(S::Ready));
            assert_eq!(walk(from, &[E::Reset, E::Absent, E::Dispatched, E::Tagged]), Some(S::Starting));
        }
        assert_eq!(walk(S::Orphaned, &[E::Reset, E::Absent]), Some(S::Requested));
        assert_eq!(walk(S::Ready, &[E::Reset, E::Absent, E::Kill]), Some(S::Gone), "nothing is there then");
        assert_eq!(
            walk(S::Ready, &[E::Reset, E::Absent, E::Dispatched, E::Seen(PowerState::Absent)]),
            Some(S::Orphaned)
        );
    }

    #[test]
    fn an_operation_begins_only_from_rest_and_ends_at_rest() {
        use ApplianceEvent as E;
        use ApplianceState as S;
        for state in S::ALL {
            let at_rest = matches!(state, S::Ready | S::Off | S::Suspended | S::Orphaned);
            for event in [E::Stop, E::Suspend, E::Start, E::Reset] {
                assert!(at_rest || state.after(event).is_none(), "{state} {event:?}");
            }
            for power in PowerState::ALL {
                let ended = state.after(E::Seen(power));
                assert_eq!(ended.is_none(), matches!(state, S::Killing | S::Gone | S::Failed), "{state}");
                assert!(ended.is_none_or(|state| matches!(state, S::Ready | S::Off | S::Suspended | S::Orphaned)));
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::BTreeSet<_> = ApplianceState::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(names.len(), ApplianceState::ALL.len());
    }
}
