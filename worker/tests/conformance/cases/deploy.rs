//! From a template to an appliance that answers, alone, many at once, and after a clone whose outcome nobody learnt.

use std::time::Duration;

use futures::future::join_all;
use sprout_worker::driver::{PowerState, Reason};
use tokio::time::timeout;

use crate::{
    Case, poll,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![
        check,
        deploy,
        tags,
        list,
        interrupted_clone,
        concurrent_deployments,
        concurrent_clones_of_one_name
    ]
}

async fn check(target: &Target) {
    let report = target.driver().check().await.expect("check");
    assert!(report.version.contains(|c: char| c.is_ascii_digit()), "no version: {report:?}");
    assert!(report.memory_mib > Some(64) && report.cpus > Some(0), "it does not say how large it is: {report:?}");
    let templates = target.driver().templates().await.expect("templates");
    assert!(templates.contains(&target.template), "{} is not among {templates:?}", target.template);
}

async fn deploy(target: &Target) {
    let driver = target.driver();
    let new = target.invent("new");
    assert_eq!(driver.find(&new.name).await.expect("find"), None);

    driver.create(&target.spec(&new)).await.expect("clone");
    let off = target.see(&new.name).await;
    assert_eq!((off.name.as_str(), off.power), (new.name.as_str(), PowerState::Off));
    assert_eq!(off.tags.as_ref(), Some(&new.tags), "marked from the first moment");
    assert_eq!((off.address, off.published.len()), (None, 0), "nothing answers yet");
    assert_eq!((off.memory_mib, off.cpus), (Some(target.memory_mib[0]), Some(1)));
    assert!(!off.provider_ref.is_empty());

    driver.tag(&new.name, &new.tags).await.expect("tag");
    driver.start(&new.name).await.expect("start");
    let on = target.until_answers(&new.name).await;
    assert_eq!((on.power, on.provider_ref, on.tags), (PowerState::On, off.provider_ref, Some(new.tags)));
    assert!(on.address.is_some_and(|address| !address.is_empty()));
}

async fn tags(target: &Target) {
    let driver = target.driver();
    let ours = target.cloned("ours").await;
    let listed = driver.list().await.expect("list").into_iter().find(|instance| instance.name == ours.name);
    assert_eq!(listed.expect("listed").tags.as_ref(), Some(&ours.tags));

    let mut later = ours.tags.clone();
    later.epoch += 1;
    driver.tag(&ours.name, &later).await.expect("a later epoch of the same appliance");
    driver.tag(&ours.name, &later).await.expect("again");
    let seen = target.see(&ours.name).await.tags.expect("tags");
    assert_eq!((seen.installation_id, seen.appliance_id), (later.installation_id, later.appliance_id));

    let other = target.invent("other").tags;
    if driver.capabilities().retag {
        driver.tag(&ours.name, &other).await.expect("tag anew");
        assert_eq!(target.see(&ours.name).await.tags, Some(other));
    } else {
        assert_reason(driver.tag(&ours.name, &other).await, Reason::NameTaken);
        assert_eq!(target.see(&ours.name).await.tags, Some(ours.tags));
    }
}

async fn list(target: &Target) {
    let (on, off) = tokio::join!(target.ready("on"), target.cloned("off"));
    let listed = target.driver().list().await.expect("list");
    for (appliance, power) in [(on, PowerState::On), (off, PowerState::Off)] {
        let mut found = listed.iter().filter(|instance| instance.name == appliance.name);
        let (first, second) = (found.next().expect("listed"), found.next());
        assert_eq!(second, None, "listed once");
        let seen = target.see(&appliance.name).await;
        assert_eq!((first.power, first.tags.as_ref()), (power, Some(&appliance.tags)));
        assert_eq!(first.provider_ref, seen.provider_ref);
        assert_eq!(first.published, seen.published);
        // A list may not know every guest's address, but never another one.
        assert!(first.address.is_none() || first.address == seen.address);
    }
}

/// The worker dies at any moment of a clone; the step is repeated by another.
async fn interrupted_clone(target: &Target) {
    let driver = target.driver();
    for millis in [0, 2, 10, 30, 100] {
        let new = target.invent(&format!("after-{millis}"));
        // Whether this one ends in time is not the point: the caller never knows.
        let _unknown = timeout(Duration::from_millis(millis), driver.create(&target.spec(&new))).await;
        match driver.create(&target.spec(&new)).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.reason, Reason::NameTaken, "{error}"),
        }
        let there = poll::until(Duration::from_secs(10), "the clone is there", async || {
            // One that can be seen while it is made is no clone yet.
            driver.find(&new.name).await.expect("find").filter(|found| found.power != PowerState::Changing)
        })
        .await;
        assert_eq!((there.tags.as_ref(), there.power), (Some(&new.tags), PowerState::Off), "after {millis} ms");
        if millis == 10 {
            driver.start(&new.name).await.expect("start");
            target.until_answers(&new.name).await;
        }
        driver.delete(&new.name, &new.tags).await.expect("delete");
        target.until_absent(&new.name).await;
    }
}

async fn concurrent_deployments(target: &Target) {
    let ready = join_all(["a", "b", "c", "d"].map(|word| target.ready(word))).await;
    let all = join_all(ready.iter().map(|appliance| target.see(&appliance.name))).await;
    for (appliance, instance) in ready.iter().zip(&all) {
        assert_eq!(instance.tags.as_ref(), Some(&appliance.tags));
        let place = (&instance.published, &instance.address);
        let here = all.iter().filter(|other| (&other.published, &other.address) == place).count();
        assert_eq!(here, 1, "each has a place of its own: {all:?}");
    }
    let gone = join_all(ready.iter().map(|appliance| target.driver().delete(&appliance.name, &appliance.tags))).await;
    for deleted in gone {
        deleted.expect("delete");
    }
}

async fn concurrent_clones_of_one_name(target: &Target) {
    let new = target.invent("one");
    let spec = target.spec(&new);
    let outcomes = join_all((0..4).map(|_| target.driver().create(&spec))).await;
    let (made, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1, "{refused:?}");
    for outcome in refused {
        assert_reason(outcome, Reason::NameTaken);
    }
    assert_eq!(target.see(&new.name).await.tags, Some(new.tags));
}
