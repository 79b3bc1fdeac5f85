//! Requests for pools, good and bad. Bad ones change nothing.

use prost_types::Duration;
use sprout_proto::pool::{
    ExtendPoolRequest, GetPoolRequest, KillPoolRequest, ListPoolsRequest, PoolState, RequestPoolRequest,
    WatchPoolRequest,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, assert_refused, field, wanted};

on_each_database!(
    a_pool_from_request_to_kill,
    requests_with_a_wrong_field,
    requests_nothing_can_serve,
    a_request_id_is_one_pool_for_good,
    pools_of_others_do_not_exist,
    what_is_too_large_is_not_read
);

async fn a_pool_from_request_to_kill(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    let lease = Some(Duration { seconds: 1800, nanos: 0 });
    let request = RequestPoolRequest { count: 2, lease, description: "mine".to_owned(), ..wanted() };
    let pool = client.request_pool(request.clone()).await?.into_inner().pool.unwrap_or_default();
    assert_eq!((pool.owner.as_str(), pool.version.as_str(), pool.state()), ("ann", "1.10", PoolState::Waiting));
    assert_eq!((pool.request_id, pool.lease, pool.description), (request.request_id, lease, "mine".to_owned()));
    assert_eq!((pool.appliances.len(), pool.ready_count, pool.progress_percent), (2, 0, 0));
    let early = client.extend_pool(ExtendPoolRequest { id: pool.id, lease, ..Default::default() }).await;
    assert_refused(early, Code::FailedPrecondition, "WRONG_STATE", "lease starts when it is ready");
    // Nothing was asked of the provider yet, so the end is immediate; repeating it changes nothing.
    for _ in 0..2 {
        let killed = client.kill_pool(KillPoolRequest { id: pool.id }).await?.into_inner().pool.unwrap_or_default();
        assert_eq!((killed.state(), killed.appliances.len()), (PoolState::Ended, 0));
    }
    let got = client.get_pool(GetPoolRequest { id: pool.id }).await?.into_inner().pool.unwrap_or_default();
    assert!(got.state() == PoolState::Ended && got.ended_at.is_some());
    let empty = client.request_pool(RequestPoolRequest { count: 0, ..wanted() }).await?.into_inner();
    assert_eq!(empty.pool.unwrap_or_default().state(), PoolState::Ended);
    Ok(())
}

async fn requests_with_a_wrong_field(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    let lease = |seconds, nanos| RequestPoolRequest { lease: Some(Duration { seconds, nanos }), ..wanted() };
    let text = |text: &str| Some(text.to_owned());
    for (wrong, blamed, words) in [
        (RequestPoolRequest { count: 1001, ..wanted() }, "count", "at most 1000"),
        (RequestPoolRequest { count: u32::MAX, ..wanted() }, "count", "at most 1000"),
        (RequestPoolRequest { request_id: String::new(), ..wanted() }, "request_id", "1 to 64"),
        (RequestPoolRequest { request_id: "x".repeat(65), ..wanted() }, "request_id", "1 to 64"),
        (RequestPoolRequest { group: String::new(), ..wanted() }, "group", "missing"),
        (RequestPoolRequest { version: text(""), ..wanted() }, "version", "leave it out"),
        (RequestPoolRequest { provider: text(""), ..wanted() }, "provider", "leave it out"),
        (RequestPoolRequest { date: text("13.2.2024"), ..wanted() }, "date", "YYYY-MM-DD"),
        (RequestPoolRequest { date: text("2024-02-30"), ..wanted() }, "date", "YYYY-MM-DD"),
        (RequestPoolRequest { memory_mib: Some(1), ..wanted() }, "memory_mib", "from 16"),
        (RequestPoolRequest { cpus: Some(0), ..wanted() }, "cpus", "1 to 256"),
        (RequestPoolRequest { description: "x".repeat(1025), ..wanted() }, "description", "shorten"),
        (lease(-1, 0), "lease", "no span of time"),
        (lease(1, -1), "lease", "no span of time"),
        (lease(0, 0), "lease", "no span of time"),
        (lease(0, 1), "lease", "at least one second"),
        (lease(i64::MIN, i32::MIN), "lease", "no span of time"),
    ] {
        let status = assert_refused(client.request_pool(wrong).await, Code::InvalidArgument, "INVALID_ARGUMENT", words);
        assert_eq!(field(&status), blamed);
    }
    for seconds in [86_401, 315_576_000_000, i64::MAX] {
        let refused = client.request_pool(lease(seconds, 0)).await;
        let status = assert_refused(refused, Code::InvalidArgument, "LEASE_TOO_LONG", "at most 1440 minutes");
        assert_eq!(field(&status), "lease");
    }
    for id in [0, u64::MAX] {
        let refused = client.get_pool(GetPoolRequest { id }).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "no id")), "id");
    }
    let pools = client.list_pools(ListPoolsRequest::default()).await?.into_inner().pools;
    assert!(pools.is_empty(), "bad requests made pools: {pools:?}");
    Ok(())
}

async fn requests_nothing_can_serve(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    let text = |text: &str| Some(text.to_owned());
    let group = |group: &str| RequestPoolRequest { group: group.to_owned(), ..wanted() };
    for (wrong, code, reason, words) in [
        (group("nope"), Code::NotFound, "GROUP_NOT_FOUND", "known: app, none"),
        (RequestPoolRequest { provider: text("nope"), ..wanted() }, Code::NotFound, "PROVIDER_NOT_FOUND", "known:"),
        (group("none"), Code::FailedPrecondition, "NO_TEMPLATE", "their names decide"),
        (
            RequestPoolRequest { version: text("9.9"), ..wanted() },
            Code::FailedPrecondition,
            "NO_TEMPLATE",
            "there is 1.10",
        ),
        (
            RequestPoolRequest { provider: text("broken"), ..wanted() },
            Code::FailedPrecondition,
            "PROVIDER_NOT_USABLE",
            "connection refused",
        ),
    ] {
        assert_refused(client.request_pool(wrong).await, code, reason, words);
    }
    Ok(())
}

async fn a_request_id_is_one_pool_for_good(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    let request = wanted();
    let first = client.request_pool(request.clone()).await?.into_inner();
    let again = client.request_pool(request.clone()).await?.into_inner();
    assert_eq!((first.repeated_request, again.repeated_request), (false, true));
    assert_eq!(first.pool, again.pool);
    let other = client.request_pool(RequestPoolRequest { count: 3, ..request.clone() }).await;
    assert_refused(other, Code::AlreadyExists, "REQUEST_ID_REUSED", "make a new id");
    let stranger = served.pools("ben").await?.request_pool(request).await?.into_inner();
    assert!(!stranger.repeated_request && stranger.pool.map(|p| p.id) != first.pool.map(|p| p.id));
    Ok(())
}

async fn pools_of_others_do_not_exist(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.id;
    let mut ben = served.pools("ben").await?;
    let lease = Some(Duration { seconds: 60, nanos: 0 });
    for refused in [
        ben.get_pool(GetPoolRequest { id }).await.map(drop),
        ben.extend_pool(ExtendPoolRequest { id, lease, ..Default::default() }).await.map(drop),
        ben.kill_pool(KillPoolRequest { id }).await.map(drop),
        ben.watch_pool(WatchPoolRequest { id }).await.map(drop),
        ben.get_pool(GetPoolRequest { id: 999_999 }).await.map(drop),
    ] {
        assert_refused(refused, Code::NotFound, "POOL_NOT_FOUND", "you have no pool");
    }
    let seen = served.pools("stan").await?.get_pool(GetPoolRequest { id }).await?.into_inner();
    assert_eq!(seen.pool.unwrap_or_default().state(), PoolState::Waiting);
    Ok(())
}

async fn what_is_too_large_is_not_read(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let huge = RequestPoolRequest { description: "x".repeat(5 << 20), ..wanted() };
    let refused = served.pools("ann").await?.request_pool(huge).await;
    assert_refused(refused, Code::OutOfRange, "MESSAGE_TOO_LARGE", "at most 4 MiB");
    // What is echoed does not make an answer that clients cannot read.
    let long = RequestPoolRequest { group: "x".repeat(1 << 20), ..wanted() };
    let refused = served.pools("ann").await?.request_pool(long).await;
    assert_refused(refused, Code::NotFound, "GROUP_NOT_FOUND", "there is no group xxx");
    Ok(())
}
