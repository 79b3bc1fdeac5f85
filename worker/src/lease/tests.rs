//! The lease counts from when a confirmed heartbeat was sent.

use tokio::time::{advance, timeout};

use super::*;

const LENGTH: Duration = Duration::from_secs(10);

fn opened() -> (Arc<Lease>, Hold) {
    let lease = Arc::new(Lease::default());
    lease.open(Moment::now(), Some(LENGTH));
    let hold = Hold::new(&lease);
    (lease, hold)
}

#[tokio::test(start_paused = true)]
async fn it_counts_from_the_sending_and_ends_a_second_early() {
    let (lease, hold) = opened();
    advance(Duration::from_secs(5)).await;
    let beat = lease.beat();
    advance(Duration::from_secs(3)).await;
    lease.heard(beat.number);
    advance(Duration::from_millis(5_900)).await;
    assert!(hold.is_sure());
    advance(Duration::from_millis(200)).await;
    assert!(!hold.is_sure(), "9.1 s after the heartbeat was sent");
}

#[tokio::test(start_paused = true)]
async fn numbers_rise_and_only_a_known_one_renews() {
    let (lease, hold) = opened();
    let (first, second) = (lease.beat(), lease.beat());
    assert!(first.number < second.number);
    advance(Duration::from_secs(20)).await;
    let third = lease.beat();
    lease.heard(second.number);
    assert!(!hold.is_sure(), "an old one, confirmed late, renews nothing");
    lease.heard(first.number);
    lease.heard(1_000);
    assert!(!hold.is_sure());
    lease.heard(third.number);
    assert!(!hold.is_sure(), "what was passed over is over");
    let fourth = lease.beat();
    lease.heard(fourth.number);
    assert!(hold.is_sure());
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_the_lease_and_learns_that_its_task_was_lost() {
    let (lease, kept) = opened();
    let lost = Hold::new(&lease);
    advance(LENGTH).await;
    timeout(LENGTH, kept.sure()).await.unwrap_err();
    let waiting = {
        let (kept, lost) = (kept.clone(), lost.clone());
        tokio::spawn(async move { (kept.sure().await, lost.sure().await) })
    };
    tokio::task::yield_now().await;
    lost.lose();
    lease.open(Moment::now(), Some(LENGTH));
    assert_eq!(waiting.await.unwrap(), (true, false));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_leases_takes_nothing_away() {
    let lease = Arc::new(Lease::default());
    let hold = Hold::new(&lease);
    lease.open(Moment::now(), None);
    advance(LENGTH * 100).await;
    assert!(hold.is_sure() && hold.sure().await);
}
