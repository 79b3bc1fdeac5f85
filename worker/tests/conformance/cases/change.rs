//! Changing an appliance that is there: name, size, state, disks.

use sprout_worker::driver::{Needs, PowerState, Reason};

use crate::{
    Case,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![rename, resize, snapshot_and_reset, disk]
}

async fn rename(target: &Target) {
    let driver = target.driver();
    let (one, other) = (target.cloned("one").await, target.cloned("other").await);
    let new = target.invent("new").name;
    let Some(needs) = driver.capabilities().rename else {
        assert_reason(driver.rename(&one.name, &new).await, Reason::Unsupported);
        return;
    };
    let before = target.see(&one.name).await;
    for _ in 0..2 {
        driver.rename(&one.name, &new).await.expect("rename");
        target.until_absent(&one.name).await;
        let after = target.see(&new).await;
        assert_eq!((&after.provider_ref, &after.tags), (&before.provider_ref, &before.tags));
    }
    driver.rename(&new, &new).await.expect("rename to what it is called");

    assert_reason(driver.rename(&new, &other.name).await, Reason::NameTaken);
    assert_eq!(target.see(&new).await.tags, Some(one.tags.clone()));
    assert_eq!(target.see(&other.name).await.tags, Some(other.tags));

    driver.start(&new).await.expect("start under the new name");
    target.until_answers(&new).await;
    let newer = target.invent("newer").name;
    match needs {
        Needs::Any => {
            driver.rename(&new, &newer).await.expect("rename while on");
            assert_eq!(target.until_answers(&newer).await.tags, Some(one.tags));
        }
        Needs::Off => {
            assert_reason(driver.rename(&new, &newer).await, Reason::Invalid);
            assert_eq!(target.power(&new).await, PowerState::On);
        }
    }
}

async fn resize(target: &Target) {
    let driver = target.driver();
    let [small, large] = target.memory_mib;
    let one = target.cloned("one").await;
    driver.check().await.expect("check");
    let Some(needs) = driver.capabilities().resize else {
        assert_reason(driver.resize(&one.name, Some(large), None).await, Reason::Unsupported);
        assert_eq!(target.see(&one.name).await.memory_mib, Some(small));
        return;
    };
    let size = async || {
        let seen = target.see(&one.name).await;
        (seen.memory_mib, seen.cpus)
    };
    for _ in 0..2 {
        driver.resize(&one.name, Some(large), Some(2)).await.expect("resize");
        assert_eq!(size().await, (Some(large), Some(2)));
    }
    driver.resize(&one.name, None, Some(1)).await.expect("only CPUs");
    assert_eq!(size().await, (Some(large), Some(1)));
    driver.resize(&one.name, Some(small), None).await.expect("only memory");
    assert_eq!(size().await, (Some(small), Some(1)));
    driver.resize(&one.name, None, None).await.expect("nothing");
    assert_eq!(size().await, (Some(small), Some(1)));

    driver.start(&one.name).await.expect("start");
    target.until_answers(&one.name).await;
    match needs {
        Needs::Any => {
            driver.resize(&one.name, Some(large), Some(2)).await.expect("resize while on");
            assert_eq!(size().await, (Some(large), Some(2)));
        }
        Needs::Off => {
            assert_reason(driver.resize(&one.name, Some(large), Some(2)).await, Reason::Invalid);
            assert_eq!(size().await, (Some(small), Some(1)));
        }
    }
    target.until_answers(&one.name).await;
}

/// That the guest's disk really goes back cannot be seen from outside the guest; what can is that each call is accepted,
/// repeated, and leaves an appliance that works.
async fn snapshot_and_reset(target: &Target) {
    let driver = target.driver();
    let one = target.ready("one").await;
    if !driver.capabilities().snapshot {
        assert_reason(driver.snapshot(&one.name, "clean").await, Reason::Unsupported);
        assert_reason(driver.reset(&one.name, "clean").await, Reason::Unsupported);
        return;
    }
    assert_reason(driver.reset(&one.name, "never-made").await, Reason::Invalid);
    for _ in 0..2 {
        driver.snapshot(&one.name, "clean").await.expect("snapshot");
    }
    for _ in 0..2 {
        driver.reset(&one.name, "clean").await.expect("reset");
        assert_eq!(target.until_answers(&one.name).await.tags.as_ref(), Some(&one.tags));
    }
    driver.stop(&one.name).await.expect("stop");
    driver.reset(&one.name, "clean").await.expect("reset of one that is off");
    driver.start(&one.name).await.expect("start");
    target.until_answers(&one.name).await;
    driver.delete(&one.name, &one.tags).await.expect("delete with a snapshot");
    target.until_absent(&one.name).await;
}

async fn disk(target: &Target) {
    let driver = target.driver();
    let one = target.ready("one").await;
    if !driver.capabilities().disk {
        assert_reason(driver.attach_disk(&one.name, 16).await, Reason::Unsupported);
        assert_reason(driver.detach_disk(&one.name).await, Reason::Unsupported);
        return;
    }
    driver.detach_disk(&one.name).await.expect("detach where there is none");
    for _ in 0..2 {
        driver.attach_disk(&one.name, 16).await.expect("attach");
    }
    target.until_answers(&one.name).await;
    for _ in 0..2 {
        driver.detach_disk(&one.name).await.expect("detach");
    }
    driver.stop(&one.name).await.expect("stop");
    driver.attach_disk(&one.name, 16).await.expect("attach while off");
    driver.start(&one.name).await.expect("start");
    target.until_answers(&one.name).await;
    driver.delete(&one.name, &one.tags).await.expect("delete with a disk");
    target.until_absent(&one.name).await;
}
