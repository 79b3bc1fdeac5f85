//! The steps of operations: repeated, after a death in the middle, and with a provider that refuses, lies, or says nothing.

use sprout_proto::task::{
    ApplianceRef, AttachDiskStep, Capability, CheckProviderStep, DeleteStep, DetachDiskStep, RebootStep, RenameStep,
    ResumeStep, StartStep, StopStep, SuspendStep,
};

use super::{
    tests::{Bench, NAME, appliance, bench, delete_step, gone_step, others, ours, start_step, stop_step, tags},
    *,
};
use crate::{
    driver::{Instance, PowerState},
    testing::{Fault, instance},
};

const NEW: &str = "database-1";

fn prove_stop_step() -> Step {
    Step::Stop(StopStep { appliance: Some(appliance()), prove: true })
}

fn suspend_step() -> Step {
    Step::Suspend(SuspendStep { appliance: Some(appliance()) })
}

fn resume_step() -> Step {
    Step::Resume(ResumeStep { appliance: Some(appliance()) })
}

fn reboot_step() -> Step {
    Step::Reboot(RebootStep { appliance: Some(appliance()) })
}

fn renamed() -> ApplianceRef {
    ApplianceRef { new_name: NEW.into(), ..appliance() }
}

fn rename_step() -> Step {
    Step::Rename(RenameStep { appliance: Some(renamed()) })
}

fn attach_step(size_mib: u64) -> Step {
    Step::AttachDisk(AttachDiskStep { appliance: Some(appliance()), size_mib })
}

fn detach_step() -> Step {
    Step::DetachDisk(DetachDiskStep { appliance: Some(appliance()) })
}

/// Each step of power with its call, what it is found in, and what it leaves.
fn power_steps() -> [(Step, &'static str, PowerState, PowerState); 4] {
    [
        (prove_stop_step(), "stop", PowerState::On, PowerState::Off),
        (suspend_step(), "suspend", PowerState::On, PowerState::Suspended),
        (resume_step(), "resume", PowerState::Suspended, PowerState::On),
        (reboot_step(), "reboot", PowerState::On, PowerState::On),
    ]
}

fn all() -> Vec<(Step, &'static str)> {
    let mut all: Vec<_> = power_steps().into_iter().map(|(step, call, ..)| (step, call)).collect();
    all.extend([(rename_step(), "rename"), (attach_step(8), "attach_disk"), (detach_step(), "detach_disk")]);
    all
}

#[tokio::test]
async fn power_is_changed_once_and_told() {
    for (step, call, before, after) in power_steps() {
        let bench = bench();
        bench.driver.put(ours(before));
        for _ in 0..2 {
            assert_eq!(bench.seen(&step).await.power_state(), after, "{call}");
        }
        // Nothing shows whether a restart was done.
        let times = if call == "reboot" { 2 } else { 1 };
        assert_eq!(bench.driver.count(call), times, "{call}");
    }
}

#[tokio::test]
async fn what_is_no_appliance_is_switched_only_while_it_carries_no_marks() {
    let machine = || Some(ApplianceRef { tags: None, unmarked: true, ..appliance() });
    let steps = [
        (Step::Stop(StopStep { appliance: machine(), prove: true }), "stop", PowerState::On, PowerState::Off),
        (Step::Start(StartStep { appliance: machine() }), "start", PowerState::Off, PowerState::On),
    ];
    for (step, call, before, after) in steps {
        let bench = bench();
        bench.driver.put(Instance { power: before, ..instance(NAME) });
        for _ in 0..2 {
            assert_eq!(bench.seen(&step).await.power_state(), after, "{call}");
        }
        assert_eq!(bench.driver.count(call), 1, "{call}");
        for marked in [ours(before), others()] {
            bench.driver.put(Instance { power: before, ..marked });
            assert_eq!(bench.reason(&step).await, Reason::NameTaken, "{call}");
        }
        assert_eq!(bench.driver.count(call), 1, "{call}");
    }
    // No other step takes what carries no marks.
    let bench = bench();
    bench.driver.put(instance(NAME));
    for step in [Step::Delete(DeleteStep { appliance: machine() }), Step::Suspend(SuspendStep { appliance: machine() })]
    {
        assert_eq!(bench.reason(&step).await, Reason::Invalid);
    }
}

#[tokio::test]
async fn what_was_done_before_its_worker_died_is_found_done() {
    for (step, call) in all() {
        let bench = bench();
        bench.driver.put(ours(if call == "resume" { PowerState::Suspended } else { PowerState::On }));
        bench.driver.script(call, [Fault::ActsAndFails(Reason::Unreachable)]);
        let first = bench.run(&step).await;
        // That it has its new name shows at once.
        assert_eq!(first.is_ok(), call == "rename", "{call}: {first:?}");
        bench.run(&step).await.unwrap();
        let again = matches!(call, "reboot" | "attach_disk" | "detach_disk");
        assert_eq!(bench.driver.count(call), if again { 2 } else { 1 }, "{call}");
    }
}

#[tokio::test]
async fn refusals_are_told_and_change_nothing() {
    for (step, call) in all() {
        for reason in [Reason::Invalid, Reason::Unsupported, Reason::AccessDenied, Reason::NoCapacity] {
            let bench = bench();
            bench.driver.put(ours(if call == "resume" { PowerState::Suspended } else { PowerState::On }));
            let before = bench.driver.get(NAME);
            bench.driver.script(call, [Fault::Fails(reason)]);
            assert_eq!(bench.reason(&step).await, reason, "{call}");
            assert_eq!(bench.driver.get(NAME), before, "{call}");
            bench.run(&step).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_absent_or_anothers_is_refused_and_not_touched() {
    for (step, call) in all() {
        let bench = bench();
        assert_eq!(bench.reason(&step).await, Reason::ApplianceNotFound, "{call}");
        for other in [others(), instance(NAME)] {
            bench.driver.put(other);
            assert_eq!(bench.reason(&step).await, Reason::NameTaken, "{call}");
        }
        assert_eq!(bench.driver.count(call), 0, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn lies_about_power_are_seen() {
    for (step, call, before, _) in power_steps().into_iter().filter(|(_, call, ..)| *call != "reboot") {
        let bench = bench();
        bench.driver.put(ours(before));
        bench.driver.script(call, [Fault::Lies]);
        let reason = bench.reason(&step).await;
        assert!(matches!(reason, Reason::ProviderError | Reason::ApplianceBroken), "{call}: {reason:?}");
    }
}

#[tokio::test]
async fn a_lie_about_a_name_is_seen() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    bench.driver.script("rename", [Fault::Lies]);
    assert_eq!(bench.reason(&rename_step()).await, Reason::ProviderError);
}

#[tokio::test]
async fn a_name_is_given_once_and_never_taken_from_another() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    for _ in 0..2 {
        bench.run(&rename_step()).await.unwrap();
    }
    assert_eq!(bench.driver.count("rename"), 1);
    assert_eq!(bench.driver.get(NEW).unwrap().tags, Some(tags(7, 1)));

    let bench = super::tests::bench();
    bench.driver.put(ours(PowerState::On));
    bench.driver.put(instance(NEW));
    assert_eq!(bench.reason(&rename_step()).await, Reason::NameTaken);
    assert_eq!((bench.driver.get(NEW), bench.driver.get(NAME)), (Some(instance(NEW)), Some(ours(PowerState::On))));
}

#[tokio::test]
async fn the_old_name_may_be_anothers_once_it_is_given_up() {
    let bench = bench();
    bench.driver.put(others());
    bench.driver.put(Instance { name: NEW.into(), ..ours(PowerState::On) });
    bench.run(&rename_step()).await.unwrap();
    assert_eq!(bench.driver.count("rename"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_renamed_is_worked_on_under_either_name() {
    let halfway = |step: Step| match step {
        Step::Start(_) => Step::Start(sprout_proto::task::StartStep { appliance: Some(renamed()) }),
        Step::Stop(step) => Step::Stop(StopStep { appliance: Some(renamed()), ..step }),
        Step::Delete(_) => Step::Delete(sprout_proto::task::DeleteStep { appliance: Some(renamed()) }),
        Step::WaitGone(step) => Step::WaitGone(sprout_proto::task::WaitGoneStep { appliance: Some(renamed()), ..step }),
        other => other,
    };
    for name in [NAME, NEW] {
        let bench = bench();
        bench.driver.put(Instance { name: name.into(), ..ours(PowerState::Off) });
        bench.run(&halfway(start_step())).await.unwrap();
        bench.run(&halfway(stop_step())).await.unwrap();
        assert_eq!(bench.driver.get(name).unwrap().power, PowerState::Off);
        bench.run(&halfway(delete_step())).await.unwrap();
        bench.run(&halfway(gone_step(false))).await.unwrap();
        assert_eq!(bench.driver.get(name), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_renamed_while_it_is_being_deleted_is_gone_only_when_it_is() {
    let bench = bench();
    bench.driver.put(Instance { name: NEW.into(), ..ours(PowerState::Off) });
    let appliance = Some(renamed());
    bench.run(&Step::WaitGone(sprout_proto::task::WaitGoneStep { appliance, clone_unconfirmed: false })).await.unwrap();
    assert_eq!(bench.driver.get(NEW), None);
}

#[tokio::test]
async fn there_is_one_disk_however_often_it_is_attached() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    for _ in 0..2 {
        bench.run(&attach_step(64)).await.unwrap();
    }
    assert_eq!(bench.driver.disk(NAME), Some(64));
    for _ in 0..2 {
        bench.run(&detach_step()).await.unwrap();
    }
    assert_eq!(bench.driver.disk(NAME), None);
    assert_eq!(bench.reason(&attach_step(0)).await, Reason::Invalid);
}

#[tokio::test]
async fn a_rename_without_a_name_is_a_mistake_of_the_server() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    let step = Step::Rename(RenameStep { appliance: Some(appliance()) });
    assert_eq!((bench.reason(&step).await, bench.driver.count("rename")), (Reason::Invalid, 0));
}

#[tokio::test]
async fn a_check_tells_what_the_provider_can_do() {
    let output = bench().run(&Step::CheckProvider(CheckProviderStep {})).await.unwrap().output;
    let Some(Output::CheckProvider(found)) = output else { panic!("{output:?}") };
    let can: Vec<_> = found.capabilities().collect();
    let all = [Capability::Power, Capability::Suspend, Capability::Rename, Capability::Disk, Capability::MakeTemplate];
    assert_eq!(can, all);
}

#[tokio::test]
async fn a_screen_is_told_where_there_is_one() {
    let bench: Bench = bench();
    bench.driver.put(Instance { console_url: Some("vnc://h:1".into()), ..ours(PowerState::On) });
    assert_eq!(bench.seen(&start_step()).await.console_url.as_deref(), Some("vnc://h:1"));
}
