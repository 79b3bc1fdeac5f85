//! Orders: what staff have done to one machine that is no appliance, named exactly, which is as good as a clean-up rule.
//!
//! Who may order what follows from whose the machine is. It must be no appliance's when the order is given, and again when its step is given to a worker,
//! which looks at its tag once more: a name may be given to an appliance at any time, before the provider knows of that.

use std::fmt;

use super::{Known, Machine, MachineKind};
use crate::{ApplianceId, Error, ProviderKey, Reason, Result, user::Role, workflow::WorkflowKind};

/// What is done to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is powered on.
    Start,
    /// It is powered off.
    Stop,
    /// It is deleted.
    Delete,
}

/// A machine that is no appliance, as it was when something was ordered for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where it is.
    pub provider: ProviderKey,
    /// Its name there.
    pub name: String,
    /// The appliance whose tag it must carry; none: it must carry no tag of any Sprout.
    pub tag: Option<ApplianceId>,
}

impl Order {
    /// The workflow that does it.
    pub fn workflow(self) -> WorkflowKind {
        match self {
            Self::Start => WorkflowKind::StartMachine,
            Self::Stop => WorkflowKind::StopMachine,
            Self::Delete => WorkflowKind::DeleteMachine,
        }
    }

    /// What staff do to an appliance instead.
    fn of_appliance(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Delete => "kill",
        }
    }

    /// Refuses a machine whose name was not typed as it is. What is certainly left over of ours needs no confirmation, but a wrong one is refused.
    pub fn confirmed(self, machine: &Machine, typed: &str) -> Result<()> {
        let needed = self == Self::Delete && machine.kind != MachineKind::Leaked;
        if typed == machine.name || (typed.is_empty() && !needed) {
            return Ok(());
        }
        let whose = if needed { ", which Sprout did not leave behind" } else { "" };
        let says = format!("to have {}{whose} deleted, repeat its name exactly as confirmation", machine.name);
        Err(Error::invalid("confirm_name", says))
    }

    /// Refuses callers who may not order this. Superusers may do everything; other staff what is about machines that carry our tag, but delete only
    /// those whose appliance is gone.
    pub fn allowed(self, machine: &Machine, role: Role) -> Result<()> {
        let for_staff = match machine.kind {
            MachineKind::Leaked => true,
            MachineKind::Lost | MachineKind::Stray => self != Self::Delete,
            MachineKind::Untracked | MachineKind::Foreign | MachineKind::Tracked => false,
        };
        if role == Role::Superuser || (role == Role::Staff && for_staff) {
            return Ok(());
        }
        let why = match machine.kind {
            MachineKind::Lost | MachineKind::Stray => {
                "it may be in use, although no appliance is known by its name and tag"
            }
            _ => "Sprout did not make it",
        };
        let says = format!("only a superuser may {self} {} on {}: {why}; ask one", machine.name, machine.provider);
        Err(Error::new(Reason::NotAllowed, says))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Delete => "delete",
        })
    }
}

impl Target {
    /// What a machine is told by from now on, as a listing showed it. Refuses one that another installation made, and one that was an appliance's.
    pub fn of(machine: &Machine) -> Result<Self> {
        let Machine { provider, name, .. } = machine;
        let tag = match machine.kind {
            MachineKind::Untracked => None,
            MachineKind::Leaked | MachineKind::Lost | MachineKind::Stray => machine.appliance_id,
            MachineKind::Foreign => {
                let says =
                    format!("{name} on {provider} carries the tag of another Sprout installation; have it done there");
                return Err(Error::new(Reason::WrongState, says));
            }
            MachineKind::Tracked => {
                let whose = machine.appliance_id.map(|id| format!("appliance {id}")).unwrap_or_default();
                let says = format!(
                    "{name} on {provider} was {whose} when it was last listed, and nobody knows yet what it is now; repeat this after the next listing"
                );
                return Err(Error::new(Reason::WrongState, says));
            }
        };
        Ok(Self { provider: provider.clone(), name: name.clone(), tag })
    }

    /// Refuses it if it is an appliance's. `tagged`: the appliance of its tag, if there ever was one; `named`: the appliance that is there, or is about
    /// to be, under its name.
    pub fn free(&self, order: Order, tagged: Option<&Known>, named: Option<ApplianceId>) -> Result<()> {
        let Self { provider, name, .. } = self;
        let verb = order.of_appliance();
        let (id, says) = match (named, tagged.filter(|known| known.gone_at.is_none())) {
            (Some(id), _) => (id, format!("{name} on {provider} is, or is about to be, appliance {id}")),
            (None, Some(Known { id, name: other, .. })) => (
                *id,
                format!("{name} on {provider} carries the tag of appliance {id}, which is called {other} and not gone"),
            ),
            (None, None) => return Ok(()),
        };
        let says = format!("{says}; use `sproutctl appliance {verb} {id}`");
        Err(Error::new(Reason::WrongState, says).with("appliance_id", id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, appliance::PowerState, workflow::Subject};

    fn machine(kind: MachineKind, id: Option<i64>) -> Machine {
        Machine {
            provider: "lab".into(),
            name: "a".to_owned(),
            power: PowerState::On,
            kind,
            appliance_id: id.map(ApplianceId),
            sightings: 1,
            first_seen_at: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            approved: false,
            problem: String::new(),
        }
    }

    fn known(name: &str, gone: bool) -> Known {
        let gone_at = gone.then_some(Timestamp::UNIX_EPOCH);
        Known { id: ApplianceId(7), name: name.to_owned(), new_name: None, gone_at, elsewhere: false }
    }

    #[test]
    fn who_may_order_what_follows_from_whose_it_is() {
        use MachineKind as K;
        use Role as R;
        let may = |order: Order, kind| {
            [R::User, R::Bot, R::Staff, R::Superuser].map(|role| order.allowed(&machine(kind, Some(7)), role).is_ok())
        };
        for order in [Order::Start, Order::Stop, Order::Delete] {
            assert_eq!(may(order, K::Leaked), [false, false, true, true]);
            assert_eq!(may(order, K::Untracked), [false, false, false, true]);
        }
        for kind in [K::Lost, K::Stray] {
            assert_eq!(may(Order::Stop, kind), [false, false, true, true]);
            assert_eq!(may(Order::Delete, kind), [false, false, false, true]);
        }
        let refused = Order::Delete.allowed(&machine(K::Untracked, None), R::Staff).unwrap_err();
        assert_eq!(refused.reason, Reason::NotAllowed);
    }

    #[test]
    fn what_is_not_certainly_ours_is_confirmed_by_its_name() {
        let foreign = machine(MachineKind::Untracked, None);
        assert!(Order::Delete.confirmed(&foreign, "a").is_ok());
        for typed in ["", "A", "a ", "b"] {
            assert_eq!(Order::Delete.confirmed(&foreign, typed).unwrap_err().reason, Reason::InvalidArgument);
        }
        assert!(Order::Stop.confirmed(&foreign, "").is_ok());
        let leaked = machine(MachineKind::Leaked, Some(7));
        assert!(Order::Delete.confirmed(&leaked, "").is_ok() && Order::Delete.confirmed(&leaked, "a").is_ok());
        assert!(Order::Delete.confirmed(&leaked, "b").is_err());
    }

    #[test]
    fn it_must_carry_the_tag_that_it_was_seen_with() {
        let tag = |kind| Target::of(&machine(kind, Some(7))).map(|target| target.tag);
        assert_eq!(tag(MachineKind::Untracked), Ok(None));
        for kind in [MachineKind::Leaked, MachineKind::Lost, MachineKind::Stray] {
            assert_eq!(tag(kind), Ok(Some(ApplianceId(7))));
        }
        for kind in [MachineKind::Foreign, MachineKind::Tracked] {
            assert_eq!(tag(kind).unwrap_err().reason, Reason::WrongState);
        }
    }

    #[test]
    fn one_thing_at_a_time_is_done_to_a_machine() {
        let of = |name: &str| Subject::Machine(Target { provider: "lab".into(), name: name.to_owned(), tag: None });
        let key = |order: Order, name: &str| order.workflow().dedup_key(&of(name)).unwrap();
        for order in [Order::Start, Order::Stop, Order::Delete] {
            assert_eq!(key(order, "a"), key(Order::Delete, "a"));
            assert_ne!(key(order, "a"), key(order, "b"));
            assert!(order.workflow().is_of_machine());
            assert_eq!(order.workflow().steps().len(), 1);
        }
    }

    #[test]
    fn what_is_an_appliances_is_refused_by_tag_and_by_name() {
        let target = Target { provider: "lab".into(), name: "a".to_owned(), tag: Some(ApplianceId(7)) };
        assert!(target.free(Order::Delete, None, None).is_ok());
        assert!(target.free(Order::Delete, Some(&known("a", true)), None).is_ok());
        // Renamed by hand on the provider, or on another provider: its owner has it still.
        let refused = target.free(Order::Delete, Some(&known("b", false)), None).unwrap_err();
        assert!(refused.message.contains("appliance kill 7"), "{refused}");
        let refused = target.free(Order::Stop, Some(&known("a", true)), Some(ApplianceId(8))).unwrap_err();
        assert!(refused.message.contains("appliance stop 8"), "{refused}");
        assert_eq!(refused.metadata, [("appliance_id", "8".to_owned())]);
    }
}
