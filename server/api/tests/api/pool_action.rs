//! What owners do with pools and appliances, good and bad. Bad calls say why, in one sentence, and change nothing.

use prost_types::Duration;
use sprout_app::ports::{ApplianceChange, Store as _};
use sprout_domain::{ApplianceId, appliance::ApplianceState};
use sprout_proto::{
    appliance::{
        DescribeApplianceRequest, ExtendApplianceRequest, GetApplianceRequest, HoldApplianceRequest,
        ListAppliancesRequest, UnholdApplianceRequest, WatchApplianceRequest, get_appliance_request::By,
    },
    event::{EventKind, ListEventsRequest},
    pool::{
        ClonePoolRequest, DescribePoolRequest, ExtendPoolRequest, KillPoolRequest, KillPoolsRequest, ListPoolsRequest,
        MergePoolsRequest, Pool, PoolState, RequestPoolRequest, TransferPoolRequest,
    },
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Status};

use crate::support::{Served, assert_refused, reason, soon, wanted};

on_each_database!(bad_calls_change_nothing, pools_are_found_by_what_is_written_on_them, an_appliance_from_hold_to_gone);

const HOUR: Option<Duration> = Some(Duration { seconds: 3600, nanos: 0 });

/// A ready pool of this user: what is warm is granted at once.
pub(crate) async fn ready(served: &Served, user: &str, request: RequestPoolRequest) -> anyhow::Result<Pool> {
    let mut tx = served.database.store().write().await?;
    let newest = tx.templates(&sprout_app::ports::TemplateFilter::default()).await?;
    let wanted = format!("app-{}", request.version.as_deref().unwrap_or("1.10"));
    let template = newest.into_iter().find(|t| t.name == wanted).unwrap();
    let new = |n| sprout_app::ports::NewAppliance {
        name: format!("warm-{}-{n}", request.request_id),
        template: template.clone(),
        pool_id: None,
        memory_mib: None,
        cpus: None,
        user_group_id: None,
        prepares: None,
    };
    let ids: Vec<ApplianceId> =
        tx.insert_appliances((0..request.count).map(new).collect()).await?.iter().map(|a| a.id).collect();
    let to_ready = ApplianceChange { state: Some(ApplianceState::Ready), ..ApplianceChange::default() };
    tx.change_appliances(&ids, &to_ready).await?;
    tx.commit().await?;
    let pool = served.pools(user).await?.request_pool(request).await?.into_inner().pool.unwrap_or_default();
    assert_eq!(pool.state(), PoolState::Ready);
    Ok(pool)
}

/// Everything that bad calls must leave as it is.
pub(crate) async fn all(served: &Served) -> anyhow::Result<String> {
    let states = [1, 2, 3, 4, 5, 6].to_vec();
    let pools = served.pools("stan").await?.list_pools(ListPoolsRequest { states, ..Default::default() }).await?;
    let states = (1..=13).collect();
    let request = ListAppliancesRequest { states, ..Default::default() };
    let appliances = served.appliances("stan").await?.list_appliances(request).await?;
    Ok(format!("{:?} {:?}", pools.into_inner().pools, appliances.into_inner().appliances))
}

#[allow(clippy::too_many_lines, reason = "a table")]
async fn bad_calls_change_nothing(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mine = ready(&served, "ann", wanted()).await?;
    let other = ready(&served, "ann", RequestPoolRequest { count: 2, ..wanted() }).await?;
    let theirs = ready(&served, "ben", wanted()).await?;
    let waiting = served.pool("ann").await?;
    let old = served
        .pools("ann")
        .await?
        .request_pool(RequestPoolRequest { count: 0, ..wanted() })
        .await?
        .into_inner()
        .pool
        .unwrap_or_default();
    let (one, foreign) = (mine.appliances[0].id, theirs.appliances[0].id);
    served
        .app
        .create_user("cal", sprout_domain::Secret::new(crate::support::PASSWORD), sprout_domain::user::Role::User)
        .await?;
    let before = all(&served).await?;
    let mut pools = served.pools("ann").await?;
    let mut staff = served.pools("stan").await?;
    let mut appliances = served.appliances("ann").await?;
    let dead = 999_999;
    let long = Some(Duration { seconds: 1_000_000, nanos: 0 });
    let negative = Some(Duration { seconds: -1, nanos: 0 });
    let extend = |id, lease, never_expire| ExtendPoolRequest { id, lease, never_expire };
    let merge = |target_id, source_id| MergePoolsRequest { target_id, source_id };
    let transfer = |id, owner: &str| TransferPoolRequest { id, owner: owner.to_owned() };
    let describe = |id, length| DescribePoolRequest { id, description: "x".repeat(length) };
    let clone =
        |id, request_id: &str| ClonePoolRequest { id, request_id: request_id.to_owned(), count: None, lease: None };
    let hold = |id, reason: &str, time| HoldApplianceRequest { id, reason: reason.to_owned(), time };
    let week = Some(Duration { seconds: 7 * 86_400 + 1, nanos: 0 });
    let refused: Vec<(&str, Result<(), Status>, Code, &str)> = vec![
        (
            "describe a dead one",
            pools.describe_pool(describe(dead, 1)).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "describe a foreign one",
            pools.describe_pool(describe(theirs.id, 1)).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "describe at length",
            pools.describe_pool(describe(mine.id, 1025)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "clone a foreign one",
            pools.clone_pool(clone(theirs.id, "c")).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "clone without an id",
            pools.clone_pool(clone(mine.id, "")).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "clone by an id in use",
            pools.clone_pool(clone(mine.id, &other.request_id)).await.map(drop),
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
        ),
        (
            "merge with itself",
            pools.merge_pools(merge(mine.id, mine.id)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "merge a foreign one",
            pools.merge_pools(merge(mine.id, theirs.id)).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "merge of two owners",
            staff.merge_pools(merge(mine.id, theirs.id)).await.map(drop),
            Code::FailedPrecondition,
            "POOLS_DIFFER",
        ),
        (
            "merge an unfinished one",
            pools.merge_pools(merge(mine.id, waiting.id)).await.map(drop),
            Code::FailedPrecondition,
            "WRONG_STATE",
        ),
        (
            "merge an ended one",
            pools.merge_pools(merge(mine.id, old.id)).await.map(drop),
            Code::FailedPrecondition,
            "WRONG_STATE",
        ),
        ("merge a dead one", pools.merge_pools(merge(mine.id, dead)).await.map(drop), Code::NotFound, "POOL_NOT_FOUND"),
        (
            "give to nobody",
            pools.transfer_pool(transfer(mine.id, "nobody")).await.map(drop),
            Code::NotFound,
            "USER_NOT_FOUND",
        ),
        (
            "give to someone without access",
            pools.transfer_pool(transfer(mine.id, "cal")).await.map(drop),
            Code::FailedPrecondition,
            "PROVIDER_NOT_USABLE",
        ),
        (
            "give what is not mine",
            pools.transfer_pool(transfer(theirs.id, "ann")).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "give what ended",
            pools.transfer_pool(transfer(old.id, "ben")).await.map(drop),
            Code::FailedPrecondition,
            "WRONG_STATE",
        ),
        (
            "give without a name",
            pools.transfer_pool(transfer(mine.id, "")).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "kill a dead one",
            pools.kill_pool(KillPoolRequest { id: dead }).await.map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "kill others' pools",
            pools.kill_pools(KillPoolsRequest { owner: Some("ben".to_owned()) }).await.map(drop),
            Code::PermissionDenied,
            "NOT_ALLOWED",
        ),
        (
            "kill nobody's pools",
            staff.kill_pools(KillPoolsRequest { owner: Some("nobody".to_owned()) }).await.map(drop),
            Code::NotFound,
            "USER_NOT_FOUND",
        ),
        (
            "extend beyond the limit",
            pools.extend_pool(extend(mine.id, long, false)).await.map(drop),
            Code::InvalidArgument,
            "LEASE_TOO_LONG",
        ),
        (
            "extend backwards",
            pools.extend_pool(extend(mine.id, negative, false)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "extend by nothing",
            pools.extend_pool(extend(mine.id, None, false)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "extend both ways",
            pools.extend_pool(extend(mine.id, HOUR, true)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "never expire as a user",
            pools.extend_pool(extend(mine.id, None, true)).await.map(drop),
            Code::PermissionDenied,
            "NOT_ALLOWED",
        ),
        (
            "never expire as staff",
            staff.extend_pool(extend(mine.id, None, true)).await.map(drop),
            Code::PermissionDenied,
            "NOT_ALLOWED",
        ),
        (
            "extend what ended",
            pools.extend_pool(extend(old.id, HOUR, false)).await.map(drop),
            Code::FailedPrecondition,
            "WRONG_STATE",
        ),
        (
            "extend an appliance backwards",
            appliances
                .extend_appliance(ExtendApplianceRequest { id: one, lease: negative, never_expire: false })
                .await
                .map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "extend a foreign appliance",
            appliances
                .extend_appliance(ExtendApplianceRequest { id: foreign, lease: HOUR, never_expire: false })
                .await
                .map(drop),
            Code::NotFound,
            "APPLIANCE_NOT_FOUND",
        ),
        (
            "hold for no reason",
            appliances.hold_appliance(hold(one, " ", HOUR)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "hold for too long",
            appliances.hold_appliance(hold(one, "why", week)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "hold backwards",
            appliances.hold_appliance(hold(one, "why", negative)).await.map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "hold a foreign one",
            appliances.hold_appliance(hold(foreign, "why", HOUR)).await.map(drop),
            Code::NotFound,
            "APPLIANCE_NOT_FOUND",
        ),
        (
            "unhold a foreign one",
            appliances.unhold_appliance(UnholdApplianceRequest { id: foreign }).await.map(drop),
            Code::NotFound,
            "APPLIANCE_NOT_FOUND",
        ),
        (
            "describe a foreign appliance",
            appliances
                .describe_appliance(DescribeApplianceRequest { id: foreign, description: String::new() })
                .await
                .map(drop),
            Code::NotFound,
            "APPLIANCE_NOT_FOUND",
        ),
        (
            "watch a foreign appliance",
            appliances.watch_appliance(WatchApplianceRequest { id: foreign }).await.map(drop),
            Code::NotFound,
            "APPLIANCE_NOT_FOUND",
        ),
        (
            "list events for staff",
            served
                .events("ann")
                .await?
                .list_events(ListEventsRequest { kinds: vec![EventKind::Leak.into()], ..Default::default() })
                .await
                .map(drop),
            Code::PermissionDenied,
            "NOT_ALLOWED",
        ),
        (
            "list a foreign pool's events",
            served
                .events("ann")
                .await?
                .list_events(ListEventsRequest { pool_id: Some(theirs.id), ..Default::default() })
                .await
                .map(drop),
            Code::NotFound,
            "POOL_NOT_FOUND",
        ),
        (
            "list events of two things",
            served
                .events("ann")
                .await?
                .list_events(ListEventsRequest {
                    pool_id: Some(mine.id),
                    appliance_id: Some(one),
                    ..Default::default()
                })
                .await
                .map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
        (
            "list unknown events",
            served
                .events("stan")
                .await?
                .list_events(ListEventsRequest { kinds: vec![99], ..Default::default() })
                .await
                .map(drop),
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        ),
    ];
    for (what, result, code, why) in refused {
        let Err(status) = result else { panic!("{what} was not refused") };
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{what}: {status:?}");
        assert!(!status.message().is_empty() && !status.message().contains('\n'), "{what}: {}", status.message());
    }
    assert_eq!(all(&served).await?, before, "bad calls changed something");
    Ok(())
}

async fn pools_are_found_by_what_is_written_on_them(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.pools("ann").await?;
    for text in ["50% done_ish", "50 done-ish", "Nightly", ""] {
        let pool = served.pool("ann").await?;
        let described = client.describe_pool(DescribePoolRequest { id: pool.id, description: text.to_owned() }).await?;
        assert_eq!(described.into_inner().pool.unwrap_or_default().description, text);
    }
    let text = |text: &str| Some(text.to_owned());
    for (whole, part, group, found) in [
        (text("Nightly"), None, None, 1),
        (text("nightly"), None, None, 0),
        (None, text("NIGHT"), None, 1),
        (None, text("0%"), None, 1),
        (None, text("done_"), None, 1),
        (None, text("\\"), None, 0),
        (None, text("done"), text("app"), 2),
        (None, None, text("none"), 0),
        (text(""), None, None, 1),
    ] {
        let request = ListPoolsRequest {
            description: whole.clone(),
            description_part: part.clone(),
            group,
            ..ListPoolsRequest::default()
        };
        let pools = client.list_pools(request).await?.into_inner().pools;
        assert_eq!(pools.len(), found, "{whole:?} {part:?}");
    }
    Ok(())
}

async fn an_appliance_from_hold_to_gone(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool = ready(&served, "ann", wanted()).await?;
    let id = pool.appliances[0].id;
    let mut client = served.appliances("ann").await?;
    let mut watch = client.watch_appliance(WatchApplianceRequest { id }).await?.into_inner();
    let first = soon(watch.message()).await??.unwrap_or_default().appliance.unwrap_or_default();
    assert_eq!((first.owner.as_deref(), first.provider_type.as_str()), (Some("ann"), "container"));
    let request = HoldApplianceRequest { id, reason: "look".to_owned(), time: HOUR };
    let held = client.hold_appliance(request).await?.into_inner().appliance.unwrap_or_default();
    assert_eq!(held.hold_reason.as_deref(), Some("look"));
    assert_ne!(held.changed_at, first.changed_at);
    let seen = soon(watch.message()).await??.unwrap_or_default();
    assert_eq!(seen.appliance.unwrap_or_default().hold_reason.as_deref(), Some("look"));
    assert!(seen.message.contains("ann holds"), "{}", seen.message);
    // A change of its whole pool is one of it.
    served.pools("ann").await?.extend_pool(ExtendPoolRequest { id: pool.id, lease: HOUR, never_expire: false }).await?;
    assert!(soon(watch.message()).await??.unwrap_or_default().message.contains("extended"));
    let by = Some(By::Name(first.name.clone()));
    let found = client.get_appliance(GetApplianceRequest { by }).await?.into_inner().appliance.unwrap_or_default();
    assert_eq!(found.id, id);
    let listed = ListAppliancesRequest { expired_and_held: true, ..Default::default() };
    assert!(client.list_appliances(listed.clone()).await?.into_inner().appliances.is_empty());
    let mut tx = served.database.store().write().await?;
    let end = sprout_domain::lease::LeaseEnd { until: Some(tx.now()), remind_at: None };
    tx.set_lease(ApplianceId(i64::try_from(id)?), end).await?;
    tx.commit().await?;
    assert_eq!(client.list_appliances(listed).await?.into_inner().appliances.len(), 1);
    client.unhold_appliance(UnholdApplianceRequest { id }).await?;
    let mut events = served.events("ann").await?;
    let request = ListEventsRequest { appliance_id: Some(id), ..Default::default() };
    let timeline = events.list_events(request.clone()).await?.into_inner().events;
    let kinds: Vec<_> = timeline.iter().map(sprout_proto::event::Event::kind).collect();
    for kind in
        [EventKind::ApplianceGranted, EventKind::ApplianceChanged, EventKind::LeaseExpired, EventKind::PoolExtended]
    {
        assert!(kinds.contains(&kind), "{kind:?} is not in {kinds:?}");
    }
    assert!(timeline.windows(2).all(|two| two[0].sequence > two[1].sequence), "the latest comes first");
    let page = events.list_events(ListEventsRequest { page_size: 2, ..request.clone() }).await?.into_inner();
    let next = ListEventsRequest { page_size: 1, page_token: page.next_page_token, ..request };
    assert_eq!(events.list_events(next).await?.into_inner().events[0], timeline[2]);
    let gone = client.describe_appliance(DescribeApplianceRequest { id: 999, description: String::new() }).await;
    assert_refused(gone, Code::NotFound, "APPLIANCE_NOT_FOUND", "you have no");
    Ok(())
}
