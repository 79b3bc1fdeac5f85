use super::*;
use crate::{
    ApplianceId, TemplateId, Timestamp,
    template::{BuildDate, TemplateType},
    version::Version,
};

fn appliance(state: ApplianceState, power: PowerState) -> Appliance {
    Appliance {
        id: ApplianceId(1),
        name: "a".to_owned(),
        state,
        power,
        provider: "lab".into(),
        group: "app".into(),
        template_id: TemplateId(1),
        template: "t".to_owned(),
        version: Version::new("1"),
        date: BuildDate::default(),
        pool_id: None,
        address: None,
        endpoints: Vec::new(),
        provider_ref: None,
        clone_unconfirmed: false,
        status: String::new(),
        status_changed_at: Timestamp::UNIX_EPOCH,
        memory_mib: None,
        cpus: None,
        created_at: Timestamp::UNIX_EPOCH,
        ready_at: None,
        leased_at: None,
        leased_until: None,
        proven_at: None,
        held_until: None,
        hold_reason: String::new(),
        description: String::new(),
        unconfigured: false,
        template_type: TemplateType::VirtualMachine,
        new_name: None,
        disk_mib: None,
        wanted_disk_mib: None,
        user_group_id: None,
        missing_since: None,
        console_url: None,
        stuck_since: None,
        prepares: None,
        host_key: None,
        owner: None,
        user_group: None,
        provider_type: String::new(),
        changed_at: Timestamp::UNIX_EPOCH,
    }
}

fn all() -> Vec<Operation> {
    vec![
        Operation::Start,
        Operation::Stop,
        Operation::Suspend,
        Operation::Resume,
        Operation::Reboot,
        Operation::Reset,
        Operation::Rename("b".to_owned()),
        Operation::AttachDisk(8),
        Operation::DetachDisk,
    ]
}

fn begin(operation: &Operation, state: ApplianceState, power: PowerState) -> Option<Begin> {
    operation.begin(&appliance(state, power)).ok()
}

/// The table of the module's docs, for what has no disk.
#[test]
fn each_operation_begins_where_the_table_says() {
    use ApplianceState as S;
    let at = |state| Some(Begin::In(state));
    let done = Some(Begin::Done);
    let table = [
        // ready, off, suspended, orphaned
        [done, at(S::Starting), at(S::Starting), None],
        [at(S::Stopping), done, at(S::Stopping), None],
        [at(S::Suspending), None, done, None],
        [done, None, at(S::Starting), None],
        [at(S::Starting), None, None, None],
        [at(S::Stopping); 4],
        [at(S::Ready), at(S::Off), None, None],
        [at(S::Ready), at(S::Off), None, None],
        [done; 4],
    ];
    let states = [
        (S::Ready, PowerState::On),
        (S::Off, PowerState::Off),
        (S::Suspended, PowerState::Suspended),
        (S::Orphaned, PowerState::Absent),
    ];
    for (operation, row) in all().iter().zip(table) {
        for ((state, power), expected) in states.into_iter().zip(row) {
            assert_eq!(begin(operation, state, power), expected, "{operation} {state}");
        }
    }
}

#[test]
fn nothing_begins_elsewhere() {
    use ApplianceState as S;
    for state in S::ALL.into_iter().filter(|s| !matches!(s, S::Ready | S::Off | S::Suspended | S::Orphaned)) {
        for operation in all().iter().filter(|operation| **operation != Operation::DetachDisk) {
            let refused = operation.begin(&appliance(state, PowerState::On)).unwrap_err();
            assert_eq!(refused.reason, Reason::WrongState, "{operation} {state}");
            assert!(refused.message.contains("; "), "it says what to do: {refused}");
        }
    }
}

#[test]
fn what_went_down_by_itself_is_started() {
    let ready = |operation: &Operation, power| begin(operation, ApplianceState::Ready, power);
    for power in [PowerState::Off, PowerState::Suspended] {
        assert_eq!(ready(&Operation::Start, power), Some(Begin::In(ApplianceState::Starting)));
        assert_eq!(ready(&Operation::Resume, power), Some(Begin::In(ApplianceState::Starting)));
    }
    assert_eq!(ready(&Operation::Start, PowerState::Unknown), Some(Begin::Done));
}

#[test]
fn there_is_one_disk() {
    let ready = appliance(ApplianceState::Ready, PowerState::On);
    let with = |disk_mib, wanted_disk_mib| Appliance { disk_mib, wanted_disk_mib, ..ready.clone() };
    let attach = |appliance: &Appliance| Operation::AttachDisk(8).begin(appliance);
    let begun = Ok(Begin::In(ApplianceState::Ready));
    assert_eq!(attach(&with(None, None)), begun);
    assert_eq!(attach(&with(Some(8), None)), Ok(Begin::Done));
    assert_eq!(attach(&with(Some(9), None)).unwrap_err().reason, Reason::WrongState);
    assert_eq!(attach(&with(None, Some(8))), begun, "it is not known to be there");
    assert_eq!(attach(&with(None, Some(9))).unwrap_err().reason, Reason::WrongState);
    assert_eq!(Operation::DetachDisk.begin(&with(None, None)), Ok(Begin::Done));
    for there in [with(Some(8), None), with(None, Some(8))] {
        assert_eq!(Operation::DetachDisk.begin(&there), begun);
    }
}

#[test]
fn a_name_that_may_be_given_is_settled_before_there_is_another() {
    let halfway = Appliance { new_name: Some("b".to_owned()), ..appliance(ApplianceState::Ready, PowerState::On) };
    let rename = |to: &str| Operation::Rename(to.to_owned()).begin(&halfway);
    assert_eq!(rename("b"), Ok(Begin::In(ApplianceState::Ready)));
    for other in ["a", "c"] {
        assert_eq!(rename(other).unwrap_err().reason, Reason::WrongState);
    }
    let settled = Appliance { new_name: None, ..halfway };
    assert_eq!(Operation::Rename("a".to_owned()).begin(&settled), Ok(Begin::Done));
}

#[test]
fn names_and_sizes_that_cannot_be_are_refused() {
    let long = "x".repeat(64);
    for name in ["", "a b", "ü", "a/b", "-a", ".a", "a\0", long.as_str()] {
        assert_eq!(Operation::Rename(name.to_owned()).check().unwrap_err().reason, Reason::InvalidArgument, "{name}");
    }
    Operation::Rename("Db-1_x.y".to_owned()).check().unwrap();
    for size in [0, DISK_MIB + 1, u64::MAX] {
        assert_eq!(Operation::AttachDisk(size).check().unwrap_err().reason, Reason::InvalidArgument);
    }
    Operation::AttachDisk(1).check().unwrap();
}

#[test]
fn what_the_provider_lacks_is_unsupported_and_what_it_does_not_say_is_tried() {
    let ready = appliance(ApplianceState::Ready, PowerState::On);
    let only = |capability| BTreeSet::from([Capability::Power, capability]);
    for operation in all() {
        assert_eq!(operation.possible(&ready, &BTreeSet::new()), Ok(()));
        let able = operation.possible(&ready, &[Capability::Power].into());
        let plain = matches!(operation, Operation::Start | Operation::Stop | Operation::Reboot | Operation::Reset);
        assert_eq!(
            able.as_ref().err().map(|error| error.reason),
            (!plain).then_some(Reason::Unsupported),
            "{operation}"
        );
    }
    assert_eq!(Operation::Suspend.possible(&ready, &only(Capability::Suspend)), Ok(()));
    assert_eq!(Operation::DetachDisk.possible(&ready, &only(Capability::Disk)), Ok(()));
    let rename = Operation::Rename("b".to_owned());
    assert_eq!(rename.possible(&ready, &only(Capability::Rename)), Ok(()));
    let refused = rename.possible(&ready, &only(Capability::RenameOff)).unwrap_err();
    assert_eq!(refused.reason, Reason::WrongState);
    let off = appliance(ApplianceState::Off, PowerState::Off);
    assert_eq!(rename.possible(&off, &only(Capability::RenameOff)), Ok(()));
}

#[test]
fn operations_are_workflows_of_their_own() {
    for operation in all() {
        let kind = operation.workflow();
        assert!(kind.is_operation() && !kind.is_parent() && kind.lane() == crate::workflow::Lane::Operate, "{kind}");
    }
    for other in [WorkflowKind::Deploy, WorkflowKind::Kill, WorkflowKind::CheckProvider, WorkflowKind::Ping] {
        assert!(!other.is_operation());
    }
}
