//! Watchers that do not keep up: they cost little, harm nobody, and go on where they were.

use std::time::{Duration, Instant};

use sprout_app::{
    EventStream, UserGroupUpdate,
    ports::{EventFilter, Store as _},
};
use sprout_domain::{
    ProviderKey, Secret,
    event::{Event, EventKind, NewEvent},
    user::Role,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::timeout;

use crate::world::{PATIENCE, World};

/// More than the tail holds.
const EVENTS: usize = 10_000;
/// Of the message of each: altogether far more than a watcher may cost.
const SIZE: usize = 2_000;

on_each_database!(a_watcher_that_reads_nothing_harms_nobody_and_misses_nothing, users_are_told_by_every_server);

async fn a_watcher_that_reads_nothing_harms_nobody_and_misses_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let staff = world.app.create_user("stan", Secret::new("correct horse"), Role::Staff).await?;
    let feed = world.app.feed().clone();
    let reading = tokio::spawn(async move { feed.run().await });
    let mut sleepers = Vec::new();
    for _ in 0..20 {
        sleepers.push(world.app.events(&staff, EventFilter::default(), None).await?);
    }
    let mut quick = world.app.events(&staff, EventFilter::default(), None).await?;
    let begins_after = quick.sequence();

    let before = memory()?;
    let store = world.database.store();
    let writing = tokio::spawn(async move {
        for part in 0..EVENTS / 100 {
            let event = |n: usize| {
                NewEvent::new(EventKind::ProviderChecked, format!("{:06} {}", part * 100 + n, "x".repeat(SIZE)))
            };
            let mut tx = store.write().await?;
            tx.append_events((0..100).map(event).collect()).await?;
            tx.commit().await?;
        }
        Ok::<_, sprout_domain::Error>(())
    });
    let begun = Instant::now();
    let seen = read(&mut quick).await?;
    let took = begun.elapsed();
    writing.await??;
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(seen.len(), EVENTS);
    // Held for all of them together: what the tail holds, and not once for each.
    let grown = memory()?.saturating_sub(before);
    assert!(grown < 120 << 20, "20 watchers that read nothing cost {} MiB", grown >> 20);

    let late = read(&mut sleepers[7]).await?;
    assert_eq!(late, seen, "the one that slept was told of the same, in the same order");
    // And one that comes later, where it was.
    let mut back = world.app.events(&staff, EventFilter::default(), Some(begins_after)).await?;
    assert_eq!(read(&mut back).await?, seen);
    reading.abort();
    Ok(())
}

async fn users_are_told_by_every_server(db: TestDatabase) -> anyhow::Result<()> {
    const CHECKS: usize = 300; // more than is held for one user
    let world = World::new(db).await?;
    let other = world.another_server().await?;
    let feed = other.feed().clone();
    let reading = tokio::spawn(async move { feed.run().await });
    let mut stream = other.events(&world.user, EventFilter::default(), None).await?;
    let mut idle = other.events(&world.user, EventFilter::default(), None).await?;
    let lab = ProviderKey::from("lab");
    let checked = |n: usize| NewEvent::of_provider(EventKind::ProviderChecked, &lab, n.to_string());
    let of_others = |n: usize| NewEvent::of_provider(EventKind::ProviderChecked, &"elsewhere".into(), n.to_string());
    let mut tx = world.database.store().write().await?;
    tx.append_events((0..CHECKS).flat_map(|n| [checked(n), of_others(n)]).collect()).await?;
    tx.commit().await?;
    let pool = world.request(1, Duration::from_secs(600)).await?;
    let stan = world.app.create_user("stan", Secret::new("correct horse"), Role::Staff).await?;
    let out = UserGroupUpdate { remove_members: vec!["ann".to_owned()], ..UserGroupUpdate::default() };
    world.app.update_user_group(&stan, "testers", &out).await?;
    let mut tx = world.database.store().write().await?;
    tx.append_events(vec![checked(0)]).await?;
    tx.commit().await?;
    world.app.kill_pool(&world.user, pool).await?;

    let mut told = Vec::new();
    let is_end = |event: &Event| event.fact.state.as_deref().is_some_and(|state| state.starts_with("end"));
    while !told.last().is_some_and(is_end) {
        told.push(timeout(PATIENCE, stream.next()).await??);
    }
    // Nothing of what came after the right was lost; of what came before, what the stream had got by then.
    assert!(told.iter().filter(|event| event.fact.pool_id.is_none()).count() <= CHECKS);
    let own =
        |told: &[Event]| told.iter().filter(|event| event.fact.pool_id == Some(pool)).cloned().collect::<Vec<_>>();
    assert!(own(&told).len() >= 3, "{told:?}");
    let mut late = Vec::new();
    while late.last() != told.last() {
        late.push(timeout(PATIENCE, idle.next()).await??);
    }
    assert_eq!(late, own(&told), "what was held for it is not given out any more");
    let mut again = world.app.events(&world.user, EventFilter::default(), Some(0)).await?;
    for event in own(&told) {
        assert_eq!(timeout(PATIENCE, again.next()).await??, event);
    }
    reading.abort();
    Ok(())
}

/// The numbers in the messages of all that were written.
async fn read(stream: &mut EventStream) -> anyhow::Result<Vec<(i64, String)>> {
    let mut seen = Vec::with_capacity(EVENTS);
    while seen.len() < EVENTS {
        let event = timeout(PATIENCE + Duration::from_secs(30), stream.next()).await??;
        seen.push((event.sequence, event.fact.message[..6].to_owned()));
    }
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
    Ok(seen)
}

/// Memory of this process, in bytes.
fn memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).map(str::parse::<u64>);
    Ok(kilobytes.ok_or_else(|| anyhow::anyhow!("no VmRSS"))?? * 1024)
}
