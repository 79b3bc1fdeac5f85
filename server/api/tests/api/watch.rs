//! Watching pools and events, with interruptions.

use sprout_app::{UserGroupUpdate, WantedShepherd, ports::Store as _};
use sprout_domain::{
    ProviderKey, Secret,
    event::{self, NewEvent},
    user::Role,
};
use sprout_proto::{
    event::{Event, EventKind, ListEventsRequest, WatchRequest, WatchResponse},
    pool::{KillPoolRequest, PoolState, TransferPoolRequest, WatchPoolRequest},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Streaming};

use crate::support::{PASSWORD, Served, assert_refused, field, soon};

on_each_database!(
    a_pool_is_watched_to_its_end,
    events_resume_where_they_were_left,
    a_watch_without_a_past_starts_now,
    users_watch_what_is_theirs,
    users_watch_all_they_may_see_and_nothing_else
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
    let from = |sequence| WatchRequest { after_sequence: Some(sequence), pool_id: Some(id), ..WatchRequest::default() };
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
    let id = served.pool("ann").await?.id;
    let pool_id = Some(id);
    let mut ben = served.events("ben").await?;
    let of_ann = ben.watch(WatchRequest { pool_id, ..WatchRequest::default() }).await;
    assert_refused(of_ann, Code::NotFound, "POOL_NOT_FOUND", "you have no pool");
    // One that was given away is watched no longer.
    let mut ann = served.events("ann").await?.watch(WatchRequest { pool_id, ..WatchRequest::default() }).await?;
    assert!(soon(ann.get_mut().message()).await??.is_some());
    give(&served, "ann", id, "ben").await?;
    let last = soon(ann.get_mut().message()).await??.unwrap_or_default().event.unwrap_or_default();
    assert_eq!(last.kind(), EventKind::PoolChanged);
    assert_refused(soon(ann.get_mut().message()).await?, Code::NotFound, "POOL_NOT_FOUND", "you have no pool");
    let mut whole = ben.watch(WatchRequest { pool_id, after_sequence: Some(0), ..WatchRequest::default() }).await?;
    soon(whole.get_mut().message()).await??;
    let first = soon(whole.get_mut().message()).await??.unwrap_or_default().event.unwrap_or_default();
    assert_eq!(first.kind(), EventKind::PoolRequested, "who has it now may know how it came about");
    Ok(())
}

async fn give(served: &Served, from: &str, id: u64, to: &str) -> anyhow::Result<()> {
    let request = TransferPoolRequest { id, owner: to.to_owned() };
    served.pools(from).await?.transfer_pool(request).await?;
    Ok(())
}

/// Someone who watches all that they may see, and reads until a pool of theirs is requested.
struct Watcher {
    name: &'static str,
    events: Streaming<WatchResponse>,
    seen: Vec<Event>,
}

impl Watcher {
    async fn new(served: &Served, name: &'static str, after: Option<u64>) -> anyhow::Result<Self> {
        let request = WatchRequest { after_sequence: after, ..WatchRequest::default() };
        let mut events = served.events(name).await?.watch(request).await?.into_inner();
        assert!(soon(events.message()).await??.is_some_and(|first| first.event.is_none()));
        Ok(Self { name, events, seen: Vec::new() })
    }

    /// What was told until this pool was requested; that as well.
    async fn until(&mut self, pool: u64) -> anyhow::Result<Vec<Event>> {
        let mut told = Vec::new();
        loop {
            let Some(next) = soon(self.events.message()).await?? else { anyhow::bail!("the stream ended") };
            let event = next.event.unwrap_or_default();
            assert_eq!(event.sequence, next.sequence);
            told.push(event.clone());
            if event.kind() == EventKind::PoolRequested && event.pool_id == Some(pool) {
                self.seen.extend(told.clone());
                return Ok(told);
            }
        }
    }

    /// The same, of a pool that is requested now: more than what has happened so far is not to come.
    async fn so_far(&mut self, served: &Served) -> anyhow::Result<Vec<Event>> {
        let pool = served.pool(self.name).await?.id;
        let mut told = self.until(pool).await?;
        told.pop();
        Ok(told)
    }
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(Event::kind).collect()
}

async fn users_watch_all_they_may_see_and_nothing_else(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    served.app.create_user("out", Secret::new(PASSWORD), Role::User).await?;
    let (sue, stan) = (served.user("sue").await?, served.user("stan").await?);
    let mut ann = Watcher::new(&served, "ann", None).await?;
    let mut ben = Watcher::new(&served, "ben", None).await?;
    let mut out = served.events("out").await?.watch(WatchRequest::default()).await?.into_inner();

    // Own pools and their appliances, and those of nobody else.
    let mine = served.pool("ann").await?.id;
    ann.until(mine).await?;
    let told = ann.so_far(&served).await?;
    assert_eq!(kinds(&told), [EventKind::ApplianceCreated], "{told:?}");
    assert!(told.iter().all(|event| event.pool_id == Some(mine)));
    assert!(ben.so_far(&served).await?.is_empty());
    ann.so_far(&served).await?; // what was about the pool that ended the last look

    // What is given away is told to both, and from then on to one.
    give(&served, "ann", mine, "ben").await?;
    served.pools("ben").await?.kill_pool(KillPoolRequest { id: mine }).await?;
    let told: Vec<_> = ann.so_far(&served).await?.into_iter().filter(|event| event.pool_id == Some(mine)).collect();
    assert_eq!(kinds(&told), [EventKind::PoolChanged], "{told:?}");
    let told: Vec<_> = ben.so_far(&served).await?.into_iter().filter(|event| event.pool_id == Some(mine)).collect();
    assert_eq!(kinds(&told)[0], EventKind::PoolChanged);
    assert!(kinds(&told).contains(&EventKind::PoolState), "{told:?}");

    // Providers that are seen, without who did it; and not the steps done there for others.
    let lab = ProviderKey::from("lab");
    served.app.switch_provider(&stan, &lab, Some(true), None).await?;
    let warm = WantedShepherd {
        group: "app".into(),
        user_group: Some("testers".to_owned()),
        preconfigured: 1,
        unconfigured: 0,
        demand: None,
    };
    served.app.set_shepherd(&stan, warm.clone()).await?;
    let step = |kind| NewEvent { provider: Some(lab.clone()), ..NewEvent::new(kind, "leftovers of others") };
    let mut tx = served.database.store().write().await?;
    tx.append_events(vec![step(event::EventKind::StepFailed), step(event::EventKind::Leak)]).await?;
    tx.commit().await?;
    served.app.switch_provider(&stan, &lab, Some(false), None).await?;
    for watcher in [&mut ann, &mut ben] {
        let told = watcher.so_far(&served).await?;
        let about: Vec<_> = told.into_iter().filter(|event| event.pool_id.is_none()).collect();
        assert_eq!(
            kinds(&about),
            [EventKind::ProviderChanged, EventKind::ShepherdChanged, EventKind::ProviderChanged],
            "{about:?}"
        );
        assert!(about.iter().all(|event| event.user.is_none() && !event.message.contains("stan")), "{about:?}");
    }

    // Put out of the user group, there is nothing more of it, although the stream goes on.
    let out_of = UserGroupUpdate { remove_members: vec!["ann".to_owned()], ..UserGroupUpdate::default() };
    served.app.update_user_group(&sue, "testers", &out_of).await?;
    served.app.switch_provider(&stan, &lab, Some(true), None).await?;
    served.app.set_shepherd(&stan, WantedShepherd { preconfigured: 2, ..warm.clone() }).await?;
    served.app.switch_provider(&stan, &lab, Some(false), None).await?;
    let told = ben.so_far(&served).await?;
    assert_eq!(told.iter().filter(|event| event.pool_id.is_none()).count(), 3, "{told:?}");
    let own = ann.seen.last().and_then(|event| event.pool_id).unwrap_or_default();
    served.pools("ann").await?.kill_pool(KillPoolRequest { id: own }).await?;
    let mut killed = Vec::new();
    while !killed.iter().any(|event: &Event| event.pool_id == Some(own) && event.kind() == EventKind::PoolState) {
        killed.extend(soon(ann.events.message()).await??.and_then(|next| next.event));
    }
    assert!(killed.iter().all(|event| event.pool_id.is_some()), "{killed:?}");

    // What is past is told in the same way, from anywhere, and listed.
    let half = ben.seen[ben.seen.len() / 2].sequence;
    let rest: Vec<_> = ben.seen.iter().filter(|event| event.sequence > half).cloned().collect();
    let last = rest.last().and_then(|event| event.pool_id).unwrap_or_default();
    let mut again = Watcher::new(&served, "ben", Some(half)).await?;
    assert_eq!(again.until(last).await?, rest);
    let mut client = served.events("ben").await?;
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListEventsRequest { page_size: 3, page_token, ..ListEventsRequest::default() };
        let page = client.list_events(request).await?.into_inner();
        listed.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    listed.reverse();
    let (from, to) = (ben.seen[0].sequence, ben.seen[ben.seen.len() - 1].sequence);
    listed.retain(|event| (from..=to).contains(&event.sequence));
    assert_eq!(listed, ben.seen);
    let of_lab = ListEventsRequest { provider: Some("lab".to_owned()), ..ListEventsRequest::default() };
    let of_lab = client.list_events(of_lab).await?.into_inner().events;
    assert_eq!(kinds(&of_lab), [EventKind::ProviderChanged; 4], "{of_lab:?}");

    of_some_kinds(&served).await?;

    // Who is in no user group and has nothing is told nothing, but what is for all.
    let everyone = WantedShepherd { user_group: None, ..warm };
    served.app.set_shepherd(&stan, everyone).await?;
    let first = soon(out.message()).await??.unwrap_or_default();
    let second = soon(out.message()).await??.unwrap_or_default().event.unwrap_or_default();
    assert!(first.event.is_none() && second.kind() == EventKind::ShepherdChanged, "{second:?}");
    Ok(())
}

async fn of_some_kinds(served: &Served) -> anyhow::Result<()> {
    let mut ben = served.events("ben").await?;
    // Nobody waits for what they are never told.
    let of_kinds = |kinds: &[EventKind]| WatchRequest {
        after_sequence: Some(0),
        kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
        ..WatchRequest::default()
    };
    let mut some = ben.watch(of_kinds(&[EventKind::ShepherdChanged, EventKind::Leak])).await?.into_inner();
    soon(some.message()).await??;
    for _ in 0..2 {
        let event = soon(some.message()).await??.unwrap_or_default().event.unwrap_or_default();
        assert_eq!(event.kind(), EventKind::ShepherdChanged);
    }
    let refused = ben.watch(of_kinds(&[EventKind::Leak, EventKind::WorkerState])).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "only staff");
    Ok(())
}
