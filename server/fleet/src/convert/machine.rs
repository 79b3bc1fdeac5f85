//! Listings of providers, and what was left over on them, between the domain and the workers' protocol.

use sprout_domain::{
    ApplianceId,
    machine::{Listed, Machine, MachineKind, Marks, PublishedPort, order::Target},
    workflow::StepOutput,
};
use sprout_proto::task::{self as pb, step_input::Step};

use super::{power, text};

/// What is to be deleted: what carries our tag with that, anything else only if it carries none.
pub(super) fn deletions(leftovers: Vec<Machine>, installation_id: &str, epoch: u64) -> Step {
    let reference = |machine: Machine| {
        let marked = machine.appliance_id.filter(|_| machine.kind != MachineKind::Untracked);
        let tags =
            marked.map(|id| pb::Tags { installation_id: installation_id.to_owned(), appliance_id: id.into(), epoch });
        pb::LeftoverRef { name: machine.name, tags }
    };
    Step::DeleteMachines(pb::DeleteMachinesStep { machines: leftovers.into_iter().map(reference).collect() })
}

/// A machine that is no appliance, as steps name it.
pub(super) fn reference(target: &Target, tags: impl Fn(ApplianceId) -> pb::Tags) -> pb::ApplianceRef {
    pb::ApplianceRef {
        name: target.name.clone(),
        tags: target.tag.map(tags),
        unmarked: target.tag.is_none(),
        ..pb::ApplianceRef::default()
    }
}

/// The deletion of such a machine.
pub(super) fn deletion(machine: Option<pb::ApplianceRef>) -> Step {
    let machine = machine.map(|pb::ApplianceRef { name, tags, .. }| pb::LeftoverRef { name, tags });
    Step::DeleteMachines(pb::DeleteMachinesStep { machines: machine.into_iter().collect() })
}

/// A listing; none if there is something in it that cannot be: nothing is concluded from half of one.
pub(super) fn listing(listed: pb::ListMachinesOutput) -> Option<StepOutput> {
    listed.machines.into_iter().map(machine).collect::<Option<_>>().map(StepOutput::Machines)
}

fn machine(machine: pb::ListedMachine) -> Option<Listed> {
    let port = |number: u32| u16::try_from(number).ok();
    let published = |p: pb::PublishedAs| {
        Some(PublishedPort { port: port(p.port)?, host: text(p.host), host_port: port(p.host_port)? })
    };
    let marks = match machine.marks() {
        pb::Marks::Unspecified => return None,
        pb::Marks::None => Marks::None,
        pb::Marks::Others => Marks::Others,
        // A number that is none of ours is somebody's forgery: no appliance has it, and nothing is made of it.
        pb::Marks::Ours => Marks::Ours(ApplianceId(i64::try_from(machine.appliance_id).unwrap_or(i64::MAX))),
    };
    Some(Listed {
        power: power(machine.power_state()),
        name: text(machine.name),
        marks,
        address: machine.address.map(text),
        published: machine.published.into_iter().map(published).collect::<Option<_>>()?,
        console_url: machine.console_url.map(text),
    })
}

/// What became of machines that were to be deleted.
pub(super) fn deleted(deleted: pb::DeleteMachinesOutput) -> StepOutput {
    let outcome = |outcome: pb::LeftoverOutcome| (text(outcome.name), (!outcome.gone).then(|| text(outcome.error)));
    StepOutput::Deleted(deleted.machines.into_iter().map(outcome).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(marks: pb::Marks) -> pb::ListedMachine {
        pb::ListedMachine { name: "a".into(), marks: marks.into(), appliance_id: 7, ..pb::ListedMachine::default() }
    }

    #[test]
    fn half_a_listing_is_none() {
        let both = |other| pb::ListMachinesOutput { machines: vec![listed(pb::Marks::Ours), other] };
        let Some(StepOutput::Machines(fine)) = listing(both(listed(pb::Marks::None))) else { panic!("it is fine") };
        assert_eq!((fine[0].marks, fine[1].marks), (Marks::Ours(ApplianceId(7)), Marks::None));
        assert!(listing(both(listed(pb::Marks::Unspecified))).is_none());
        let published = vec![pb::PublishedAs { port: 70_000, host: "h".into(), host_port: 1 }];
        assert!(listing(both(pb::ListedMachine { published, ..listed(pb::Marks::Ours) })).is_none());
    }

    #[test]
    fn a_machine_that_is_no_appliance_is_named_with_its_tag_or_with_none() {
        let named = |tag: Option<i64>| {
            let target = Target { provider: "lab".into(), name: "a".to_owned(), tag: tag.map(ApplianceId) };
            let tags = |id: ApplianceId| pb::Tags { installation_id: "here".into(), appliance_id: id.into(), epoch: 3 };
            reference(&target, tags)
        };
        let (ours, nobodys) = (named(Some(7)), named(None));
        assert_eq!((ours.tags.as_ref().map(|tags| tags.appliance_id), ours.unmarked), (Some(7), false));
        assert_eq!((&nobodys.tags, nobodys.unmarked), (&None, true));
        for machine in [ours, nobodys] {
            let Step::DeleteMachines(step) = deletion(Some(machine.clone())) else { panic!("another step") };
            assert_eq!(step.machines, [pb::LeftoverRef { name: "a".to_owned(), tags: machine.tags }]);
        }
    }

    #[test]
    fn what_carries_our_tag_goes_only_with_it() {
        let now = sprout_domain::Timestamp::UNIX_EPOCH;
        let machine = |kind, id: Option<i64>| Machine {
            provider: "lab".into(),
            name: "a".into(),
            power: sprout_domain::appliance::PowerState::On,
            kind,
            appliance_id: id.map(ApplianceId),
            sightings: 2,
            first_seen_at: now,
            since: now,
            approved: false,
            problem: String::new(),
        };
        let all = vec![machine(MachineKind::Leaked, Some(7)), machine(MachineKind::Untracked, None)];
        let Step::DeleteMachines(step) = deletions(all, "here", 3) else { panic!("another step") };
        let tags = pb::Tags { installation_id: "here".into(), appliance_id: 7, epoch: 3 };
        assert_eq!(step.machines.iter().map(|m| m.tags.clone()).collect::<Vec<_>>(), [Some(tags), None]);
    }
}
