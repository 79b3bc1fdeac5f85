//! Wake-ups through a real Redis. `SPROUT_TEST_REDIS` says where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test's helpers, and why it was skipped

use std::time::Duration;

use sprout_app::ports::{Bus as _, Topic};
use sprout_bus::RedisBus;
use sprout_domain::Secret;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(10);

fn redis() -> Option<Secret> {
    match std::env::var("SPROUT_TEST_REDIS") {
        Ok(url) => Some(Secret::new(url)),
        Err(std::env::VarError::NotPresent) if std::env::var_os("SPROUT_TEST_REQUIRE").is_some() => {
            panic!("SPROUT_TEST_REDIS is not set")
        }
        Err(_) => {
            println!("skipped: SPROUT_TEST_REDIS is not set; see scripts/service.sh");
            None
        }
    }
}

/// A bus that has subscribed: a fresh one wakes everything once it has.
async fn connected(url: &Secret, installation: &str) -> RedisBus {
    let bus = RedisBus::connect(url, installation).unwrap();
    let mut first = bus.subscribe(Topic::Warm);
    timeout(LONG, first.changed()).await.expect("connects").unwrap();
    bus
}

#[tokio::test]
async fn one_replica_wakes_another_and_itself() {
    let Some(url) = redis() else { return };
    let installation = format!("test-{}", std::process::id());
    let (one, other) = (connected(&url, &installation).await, connected(&url, &installation).await);
    let (mut here, mut there) = (one.subscribe(Topic::Tasks), other.subscribe(Topic::Tasks));
    let mut elsewhere = other.subscribe(Topic::Leases);
    elsewhere.mark_unchanged();
    one.publish(&[Topic::Tasks]);
    timeout(LONG, here.changed()).await.expect("wakes itself").unwrap();
    timeout(LONG, there.changed()).await.expect("wakes the other").unwrap();
    assert!(!elsewhere.has_changed().unwrap(), "only the topic named is woken");
}

#[tokio::test]
async fn installations_do_not_wake_each_other() {
    let Some(url) = redis() else { return };
    let (ours, theirs) = (connected(&url, "ours").await, connected(&url, "theirs").await);
    let mut there = theirs.subscribe(Topic::Tasks);
    there.mark_unchanged();
    ours.publish(&[Topic::Tasks]);
    // Something that must not come cannot be waited for; what comes after it can.
    let again = connected(&url, "theirs").await;
    let mut late = theirs.subscribe(Topic::Cancels);
    again.publish(&[Topic::Cancels]);
    timeout(LONG, late.changed()).await.expect("its own replica wakes it").unwrap();
    assert!(!there.has_changed().unwrap());
}

#[tokio::test]
async fn without_redis_a_replica_still_wakes_itself() {
    let bus = RedisBus::connect(&Secret::new("redis://127.0.0.1:1/"), "alone").unwrap();
    let mut here = bus.subscribe(Topic::Events);
    bus.publish(&[Topic::Events]);
    timeout(LONG, here.changed()).await.expect("wakes itself").unwrap();
    assert!(RedisBus::connect(&Secret::new("http://nonsense"), "x").is_err());
}
