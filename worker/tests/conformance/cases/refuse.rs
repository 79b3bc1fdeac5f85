//! What must be refused, with the right reason and nothing left behind.

use sprout_worker::driver::{PowerState, Reason};

use crate::{
    Case,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![unknown_appliance, unknown_template, duplicate_name, impossible_memory]
}

async fn unknown_appliance(target: &Target) {
    let driver = target.driver();
    let ghost = target.invent("ghost");
    let (name, new) = (ghost.name.as_str(), target.invent("new").name);
    driver.check().await.expect("check");
    let can = driver.capabilities();
    let absent = |supported: bool| if supported { Reason::ApplianceNotFound } else { Reason::Unsupported };

    assert_eq!(driver.find(name).await.expect("find"), None);
    driver.stop(name).await.expect("stop of what is gone");
    driver.delete(name, &ghost.tags).await.expect("delete of what is gone");
    driver.delete_template(&target.invent_template("ghost")).await.expect("delete of a template that is gone");
    assert_reason(driver.tag(name, &ghost.tags).await, Reason::ApplianceNotFound);
    assert_reason(driver.start(name).await, Reason::ApplianceNotFound);
    assert_reason(driver.reboot(name).await, Reason::ApplianceNotFound);
    assert_reason(driver.suspend(name).await, absent(can.suspend));
    assert_reason(driver.resume(name).await, absent(can.suspend));
    assert_reason(driver.rename(name, &new).await, absent(can.rename.is_some()));
    assert_reason(driver.resize(name, Some(target.memory_mib[1]), None).await, absent(can.resize.is_some()));
    assert_reason(driver.snapshot(name, "clean").await, absent(can.snapshot));
    assert_reason(driver.reset(name, "clean").await, absent(can.snapshot));
    assert_reason(driver.attach_disk(name, 16).await, absent(can.disk));
    assert_reason(driver.detach_disk(name).await, absent(can.disk));
    let template = target.invent_template("new");
    assert_reason(driver.make_template(name, &template).await, absent(can.make_template.is_some()));

    let names = [name, new.as_str()];
    assert!(driver.list().await.expect("list").iter().all(|instance| !names.contains(&instance.name.as_str())));
    assert!(!driver.templates().await.expect("templates").contains(&template));
}

async fn unknown_template(target: &Target) {
    let new = target.invent("new");
    let mut spec = target.spec(&new);
    spec.template = target.invent_template("ghost");
    let error = assert_reason(target.driver().create(&spec).await, Reason::TemplateNotFound);
    assert!(error.message.contains(&spec.template), "{error}");
    assert_eq!(target.driver().find(&new.name).await.expect("find"), None, "nothing is left");
}

async fn duplicate_name(target: &Target) {
    let driver = target.driver();
    let first = target.ready("one").await;
    let before = target.see(&first.name).await;
    let mut other = target.spec(&first);
    other.tags = target.invent("other").tags;
    for spec in [target.spec(&first), other] {
        assert_reason(driver.create(&spec).await, Reason::NameTaken);
        let after = target.see(&first.name).await;
        assert_eq!((after.provider_ref, after.tags), (before.provider_ref.clone(), before.tags.clone()));
        assert_eq!(after.power, PowerState::On);
    }
    target.until_answers(&first.name).await;
}

/// Some providers notice when the appliance is made, others when it is started.
async fn impossible_memory(target: &Target) {
    let driver = target.driver();
    let huge = target.invent("huge");
    let mut spec = target.spec(&huge);
    spec.memory_mib = Some(1 << 30);
    let refused = match driver.create(&spec).await {
        Ok(()) => driver.start(&huge.name).await,
        refused => refused,
    };
    assert_reason(refused, Reason::NoCapacity);
    driver.delete(&huge.name, &huge.tags).await.expect("delete what may be left");
    assert_eq!(driver.find(&huge.name).await.expect("find"), None);

    driver.check().await.expect("check");
    if driver.capabilities().resize.is_some() {
        let one = target.cloned("one").await;
        assert_reason(driver.resize(&one.name, Some(1 << 30), None).await, Reason::NoCapacity);
        assert_eq!(target.see(&one.name).await.memory_mib, Some(target.memory_mib[0]));
    }
}
