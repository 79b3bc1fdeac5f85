//! Deleting: everything, only what is ours, any number of times.

use futures::future::join_all;
use sprout_worker::driver::{PowerState, Reason};

use crate::{
    Case,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![delete, delete_what_is_anothers, delete_only_what_is_unmarked, concurrent_deletes]
}

async fn delete(target: &Target) {
    let driver = target.driver();
    let (on, off) = tokio::join!(target.ready("on"), target.cloned("off"));
    for one in [on, off] {
        driver.delete(&one.name, &one.tags).await.expect("delete");
        target.until_absent(&one.name).await;
        assert!(driver.list().await.expect("list").iter().all(|instance| instance.name != one.name));
        driver.delete(&one.name, &one.tags).await.expect("delete what is gone");
        // Nothing is left that would be in the way of the same name.
        driver.create(&target.spec(&one)).await.expect("clone anew");
        driver.delete(&one.name, &one.tags).await.expect("delete it again");
        target.until_absent(&one.name).await;
    }
}

async fn delete_what_is_anothers(target: &Target) {
    let driver = target.driver();
    let theirs = target.ready("theirs").await;
    let mut marks = vec![target.invent("ours").tags];
    let mut other_installation = theirs.tags.clone();
    other_installation.installation_id.push_str("-other");
    marks.push(other_installation);
    for tags in marks {
        let error = assert_reason(driver.delete(&theirs.name, &tags).await, Reason::NameTaken);
        assert!(error.message.contains(&theirs.name), "{error}");
        assert_eq!(target.power(&theirs.name).await, PowerState::On, "untouched");
    }
    let mut later = theirs.tags.clone();
    later.epoch += 5;
    driver.delete(&theirs.name, &later).await.expect("the epoch is not compared");
    target.until_absent(&theirs.name).await;
}

async fn delete_only_what_is_unmarked(target: &Target) {
    let driver = target.driver();
    let marked = target.ready("marked").await;
    let error = assert_reason(driver.delete_unmarked(&marked.name).await, Reason::NameTaken);
    assert!(error.message.contains(&marked.name), "{error}");
    assert_eq!(target.power(&marked.name).await, PowerState::On, "untouched");
    driver.delete(&marked.name, &marked.tags).await.expect("delete");
    target.until_absent(&marked.name).await;
    driver.delete_unmarked(&marked.name).await.expect("delete what is not there");
}

async fn concurrent_deletes(target: &Target) {
    let one = target.ready("one").await;
    let outcomes = join_all((0..4).map(|_| target.driver().delete(&one.name, &one.tags))).await;
    for deleted in outcomes {
        deleted.expect("delete");
    }
    assert_eq!(target.driver().find(&one.name).await.expect("find"), None);
}
