//! Watching pools and events, with interruptions.

use sprout_proto::{
    event::{WatchRequest, WatchResponse},
    pool::{KillPoolRequest, PoolState, WatchPoolRequest},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Streaming};

use crate::support::{Served, assert_refused, field, soon};

on_each_database!(
    a_pool_is_watched_to_its_end,
    events_resume_where_they_were_left,
    a_watch_without_a_past_starts_now,
    users_watch_what_is_theirs
);

async fn a_pool_is_watched_to_its_end(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    crate::worker::connect(&served, "w1").await?;
    let pool = served.pool("ann").await?;
    let mut client = served.pools("ann").await?;
    let mut changes = client.watch_pool(WatchPoolRequest { id: pool.id }).await?.into_inner();
    let first = soon(changes.message()).await??.unwrap_or_default();
    assert_eq!((first.pool.as_ref(), first.message.as_str()), (Some(&pool), ""));
    client.kill_pool(KillPoolRequest { id: pool.id }).await?;
    let mut last = None;
    while let Some(change) = soon(changes.message()).await?? {
        assert!(!change.message.is_empty());
        last = change.pool;
    }
    assert_eq!(last.unwrap_or_default().state(), PoolState::Ended);
    // Of a pool that has ended already there is one message.
    let mut changes = client.watch_pool(WatchPoolRequest { id: pool.id }).await?.into_inner();
    assert!(soon(changes.message()).await??.is_some());
    assert!(soon(changes.message()).await??.is_none());
    Ok(())
}

/// Reads until the event in which a pool ended.
async fn until_ended(events: &mut Streaming<WatchResponse>) -> anyhow::Result<Vec<WatchResponse>> {
    let mut seen = Vec::new();
    loop {
        let Some(next) = soon(events.message()).await?? else { anyhow::bail!("the stream ended") };
        let ended =
            next.event.as_ref().is_some_and(|event| event.pool_id.is_some() && event.state.as_deref() == Some("ended"));
        seen.push(next);
        if ended {
            return Ok(seen);
        }
    }
}

async fn events_resume_where_they_were_left(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.id;
    let mut client = served.events("ann").await?;
    let from = |sequence| WatchRequest { after_sequence: Some(sequence), pool_id: Some(id), appliance_id: None };
    let mut interrupted = client.watch(from(0)).await?.into_inner();
    let start = soon(interrupted.message()).await??.unwrap_or_default();
    assert!(start.event.is_none(), "the first message says where the stream starts");
    let one = soon(interrupted.message()).await??.unwrap_or_default();
    assert_eq!(one.event.as_ref().map(|event| event.sequence), Some(one.sequence));
    drop(interrupted);
    served.pools("ann").await?.kill_pool(KillPoolRequest { id }).await?;
    let whole = until_ended(&mut client.watch(from(0)).await?.into_inner()).await?;
    let rest = until_ended(&mut client.watch(from(one.sequence)).await?.into_inner()).await?;
    assert!(whole.is_sorted_by(|a, b| a.sequence < b.sequence), "{whole:?}");
    assert_eq!((&whole[1], &whole[2..]), (&one, &rest[1..]));
    assert_eq!(rest[0].sequence, one.sequence);
    let refused = client.watch(from(u64::MAX)).await;
    let status = assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "no sequence");
    assert_eq!(field(&status), "after_sequence");
    Ok(())
}

async fn a_watch_without_a_past_starts_now(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let before = served.pool("ann").await?.id;
    let mut events = served.events("stan").await?.watch(WatchRequest::default()).await?.into_inner();
    let start = soon(events.message()).await??.unwrap_or_default();
    assert!(start.event.is_none() && start.sequence > 0);
    let after = served.pool("ben").await?.id;
    let next = soon(events.message()).await??.unwrap_or_default();
    assert!(next.sequence > start.sequence && after != before);
    assert_eq!(next.event.unwrap_or_default().pool_id, Some(after));
    Ok(())
}

async fn users_watch_what_is_theirs(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool_id = Some(served.pool("ann").await?.id);
    let mut ben = served.events("ben").await?;
    let of_ann = ben.watch(WatchRequest { pool_id, ..WatchRequest::default() }).await;
    assert_refused(of_ann, Code::NotFound, "POOL_NOT_FOUND", "you have no pool");
    let everything = ben.watch(WatchRequest::default()).await;
    assert_refused(everything, Code::PermissionDenied, "NOT_ALLOWED", "name a pool");
    Ok(())
}
