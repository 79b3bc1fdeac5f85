//! Clients that never read what they asked to watch: they cost the server bounded memory, and go on where they were when they read again.

use sprout_app::ports::{Store as _, Topic};
use sprout_domain::event::{EventKind, NewEvent};
use sprout_proto::event::{WatchRequest, WatchResponse};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::support::{Served, patiently};

on_each_database!(watchers_that_never_read_cost_little);

/// Events, and the length of each.
const EVENTS: usize = 4_000;
const LENGTH: usize = 4_000;
const WATCHERS: usize = 20;

/// Memory that this process has, in bytes.
fn memory() -> anyhow::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or_else(|| anyhow::anyhow!("no VmRSS"))?;
    Ok(kib.trim().parse::<usize>()? * 1024)
}

async fn happen(served: &Served, count: usize) -> anyhow::Result<()> {
    let event = || NewEvent::new(EventKind::PoolState, "x".repeat(LENGTH));
    for _ in 0..count / 500 {
        let mut tx = served.database.store().write().await?;
        tx.append_events((0..500).map(|_| event()).collect()).await?;
        tx.commit().await?;
        served.app.bus().publish(&[Topic::Events]);
    }
    Ok(())
}

async fn watchers_that_never_read_cost_little(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    // All on one connection, as a client has it.
    let mut events = served.events("stan").await?;
    let mut unread = Vec::new();
    for _ in 0..WATCHERS {
        unread.push(events.watch(WatchRequest::default()).await?.into_inner());
    }
    let started = unread[0].message().await?.map(|start| start.sequence);
    happen(&served, 4_500).await?; // what everyone shares, and what the first few of them cost
    let before = memory()?;
    happen(&served, EVENTS).await?;
    // One who reads has read all of it, so the others could have been sent it.
    let from = WatchRequest { after_sequence: started, ..WatchRequest::default() };
    let mut reads = served.another_connection("stan").await?.watch(from).await?.into_inner();
    let last = served.database.store().read().await?.last_sequence().await?.unsigned_abs();
    patiently(async {
        while reads.message().await?.is_some_and(|said: WatchResponse| said.sequence < last) {}
        anyhow::Ok(())
    })
    .await??;
    let grown = memory()?.saturating_sub(before);
    let whole = EVENTS * LENGTH * WATCHERS;
    assert!(grown < whole / 8, "{grown} bytes more for {WATCHERS} watchers that read nothing of {whole} bytes");

    // One of them reads after all, and misses nothing. (What the others do not read takes the room that their connection has.)
    let mut expected = started.unwrap_or_default();
    let mut late = unread.swap_remove(0);
    drop(unread);
    patiently(async {
        while expected < last {
            let Some(said) = late.message().await? else { anyhow::bail!("it was ended at {expected} of {last}") };
            expected += 1;
            anyhow::ensure!(said.sequence == expected, "{} came in place of {expected}", said.sequence);
        }
        Ok(())
    })
    .await??;
    Ok(())
}
