//! Power: each operation, its repetition, and what it does to the suspended, the off and the on.

use sprout_worker::driver::{PowerState, Reason};

use crate::{
    Case,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![start_and_stop, reboot, suspend_and_resume, operations_on_a_suspended_one]
}

async fn start_and_stop(target: &Target) {
    let driver = target.driver();
    let one = target.ready("one").await;
    driver.start(&one.name).await.expect("start again");
    target.until_answers(&one.name).await;

    driver.stop(&one.name).await.expect("stop");
    let off = target.see(&one.name).await;
    assert_eq!((off.power, off.address, off.published.len()), (PowerState::Off, None, 0));
    driver.stop(&one.name).await.expect("stop again");
    assert_eq!(target.power(&one.name).await, PowerState::Off);

    driver.start(&one.name).await.expect("start after stop");
    // It may answer elsewhere now; what is told is where it really does.
    target.until_answers(&one.name).await;
}

async fn reboot(target: &Target) {
    let driver = target.driver();
    let one = target.ready("one").await;
    driver.reboot(&one.name).await.expect("reboot");
    driver.reboot(&one.name).await.expect("reboot again");
    assert_eq!(target.until_answers(&one.name).await.power, PowerState::On);

    driver.stop(&one.name).await.expect("stop");
    driver.reboot(&one.name).await.expect("reboot of one that is off");
    assert_eq!(target.until_answers(&one.name).await.power, PowerState::On);
}

async fn suspend_and_resume(target: &Target) {
    let driver = target.driver();
    let one = target.cloned("one").await;
    if !driver.capabilities().suspend {
        assert_reason(driver.suspend(&one.name).await, Reason::Unsupported);
        assert_reason(driver.resume(&one.name).await, Reason::Unsupported);
        return;
    }
    assert_reason(driver.suspend(&one.name).await, Reason::Invalid);
    assert_reason(driver.resume(&one.name).await, Reason::Invalid);
    assert_eq!(target.power(&one.name).await, PowerState::Off);

    driver.start(&one.name).await.expect("start");
    target.until_answers(&one.name).await;
    driver.resume(&one.name).await.expect("resume of one that is on");
    for _ in 0..2 {
        driver.suspend(&one.name).await.expect("suspend");
        target.until_power(&one.name, PowerState::Suspended).await;
    }
    for _ in 0..2 {
        driver.resume(&one.name).await.expect("resume");
        target.until_power(&one.name, PowerState::On).await;
    }
    target.until_answers(&one.name).await;
}

async fn operations_on_a_suspended_one(target: &Target) {
    let driver = target.driver();
    if !driver.capabilities().suspend {
        return; // what cannot be suspended is asserted in suspend_and_resume
    }
    let one = target.ready("one").await;
    let name = one.name.as_str();
    let suspend = async || {
        driver.suspend(name).await.expect("suspend");
        target.until_power(name, PowerState::Suspended).await;
    };

    suspend().await;
    let listed = driver.list().await.expect("list").into_iter().find(|instance| instance.name == name);
    assert_eq!(listed.expect("listed").power, PowerState::Suspended);
    driver.tag(name, &one.tags).await.expect("tag");
    assert_eq!(target.see(name).await.tags.as_ref(), Some(&one.tags));
    driver.start(name).await.expect("start");
    assert_eq!(target.until_answers(name).await.power, PowerState::On);

    suspend().await;
    driver.reboot(name).await.expect("reboot");
    assert_eq!(target.until_answers(name).await.power, PowerState::On);

    suspend().await;
    driver.stop(name).await.expect("stop");
    assert_eq!(target.power(name).await, PowerState::Off);

    driver.start(name).await.expect("start after stop");
    target.until_answers(name).await;
    suspend().await;
    driver.delete(name, &one.tags).await.expect("delete");
    target.until_absent(name).await;
}
