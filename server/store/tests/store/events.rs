//! Events: in the order of commits, and whoever follows the tail misses none.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sprout_app::ports::{About, EventFilter, Page, TimelineFilter, Told};
use sprout_domain::{
    ApplianceId, PoolId, ProviderKey, UserGroupId, UserId, WorkflowId,
    appliance::ApplianceState,
    event::{Audience, Event, EventKind, NewEvent},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(
    what_is_written_comes_back,
    filtered_by_pool_and_appliance,
    everyone_is_told_what_is_theirs,
    who_follows_the_tail_misses_none
);

async fn what_is_written_comes_back(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    assert_eq!(tx.last_sequence().await?, 0);
    let full = NewEvent {
        pool_id: Some(PoolId(7)),
        appliance_id: Some(ApplianceId(8)),
        provider: Some("p1".into()),
        workflow_id: Some(WorkflowId(9)),
        user: Some("ann".to_owned()),
        state: Some("ready".to_owned()),
        owner_id: Some(UserId(10)),
        former_owner_id: Some(UserId(11)),
        audience: Some(Audience::Everyone),
        ..NewEvent::new(EventKind::ApplianceState, "it's ready")
    };
    let for_group = Some(Audience::UserGroup(UserGroupId(12)));
    let events = vec![
        full,
        NewEvent::of_provider(EventKind::ProviderChecked, &"p:1".into(), ""),
        NewEvent { audience: for_group, ..NewEvent::new(EventKind::ShepherdChanged, "") },
    ];
    tx.append_events(events.clone()).await?;
    tx.append_events(vec![]).await?;
    let now = tx.now();
    tx.commit().await?;

    let mut tx = world.read().await?;
    let read = tx.events_after(0, &EventFilter::default(), 10).await?;
    assert!(read.iter().all(|event| event.happened_at == now));
    assert_eq!(tx.last_sequence().await?, read[2].sequence);
    assert_eq!(read.into_iter().map(|event| event.fact).collect::<Vec<_>>(), events);
    Ok(())
}

async fn filtered_by_pool_and_appliance(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r").await?.id;
    world.appliances(&mut tx, 2, ApplianceState::Ready).await?;
    let mine = World::grant(&mut tx, pool, &[world.template.id], 1).await?.remove(0).id;
    let event = |text: &str, pool_id, appliance_id| NewEvent {
        pool_id,
        appliance_id,
        ..NewEvent::new(EventKind::ApplianceState, text)
    };
    tx.append_events(vec![
        event("warm", None, Some(mine)),
        event("other", Some(PoolId(99)), Some(ApplianceId(99))),
        event("pool", Some(pool), None),
        event("both", Some(pool), Some(mine)),
        event("former member", Some(pool), Some(ApplianceId(99))),
    ])
    .await?;
    let mut texts = async |after: i64, filter: EventFilter, limit| {
        let read = tx.events_after(after, &filter, limit).await?;
        Ok::<_, sprout_domain::Error>(
            read.into_iter().map(|event| (event.sequence, event.fact.message)).collect::<Vec<_>>(),
        )
    };
    let only = |list: &[(i64, String)]| list.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    let of_pool = || EventFilter { pool_id: Some(pool), ..EventFilter::default() };
    let all = texts(0, of_pool(), 10).await?;
    assert_eq!(only(&all), ["warm", "pool", "both", "former member"]);
    assert_eq!(texts(0, of_pool(), 2).await?, all[..2]);
    assert_eq!(texts(all[1].0, of_pool(), 10).await?, all[2..]);
    let of_appliance = EventFilter { appliance_id: Some(mine), ..EventFilter::default() };
    assert_eq!(only(&texts(0, of_appliance, 10).await?), ["warm", "both"]);
    let of_both = EventFilter { pool_id: Some(pool), appliance_id: Some(mine), ..EventFilter::default() };
    assert_eq!(only(&texts(0, of_both, 10).await?), ["warm", "both"]);
    Ok(())
}

async fn everyone_is_told_what_is_theirs(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r").await?;
    let (ann, ben) = (pool.owner_id, UserId(pool.owner_id.0 + 100));
    let of_pool = |text: &str| NewEvent {
        pool_id: Some(pool.id),
        appliance_id: Some(ApplianceId(5)),
        ..NewEvent::new(EventKind::ApplianceState, text)
    };
    let of_provider =
        |text: &str, key: &str| NewEvent::of_provider(EventKind::ProviderChecked, &ProviderKey::from(key), text);
    tx.append_events(vec![
        of_pool("1 ann's"),
        of_provider("2 of a", "a"),
        of_provider("3 of b", "b"),
        NewEvent { appliance_id: Some(ApplianceId(5)), ..NewEvent::new(EventKind::ApplianceState, "4 nobody's") },
        NewEvent { owner_id: Some(ben), former_owner_id: Some(ann), ..of_pool("5 given to ben") },
        NewEvent { owner_id: Some(ben), ..of_pool("6 ben's") },
        NewEvent { audience: Some(Audience::Everyone), ..NewEvent::new(EventKind::ShepherdChanged, "7 for all") },
        of_provider("8 of a", "a"),
        NewEvent {
            audience: Some(Audience::UserGroup(UserGroupId(3))),
            ..NewEvent::new(EventKind::ShepherdChanged, "9 of group 3")
        },
    ])
    .await?;
    let (a, b) = (Audience::Provider("a".into()), Audience::Provider("b".into()));
    let all = [a.clone(), b, Audience::Everyone, Audience::UserGroup(UserGroupId(3))];
    for (user_id, audiences, expected) in [
        (Some(ann), vec![], "15"),
        (Some(ben), vec![], "56"),
        (None, vec![a.clone()], "28"),
        (Some(UserId(9999)), vec![Audience::Everyone], "7"),
        (Some(ann), vec![a, Audience::Everyone], "12578"),
        (Some(ann), all.to_vec(), "1235789"),
        (None, vec![], ""),
    ] {
        let told = Told { user_id, audiences: audiences.into_iter().collect() };
        let filter = EventFilter { told: Some(told.clone()), ..EventFilter::default() };
        let numbers = |events: &[Event]| events.iter().map(|event| &event.fact.message[..1]).collect::<String>();
        let read = tx.events_after(0, &filter, 100).await?;
        assert_eq!(numbers(&read), expected, "{told:?}");
        let (mut page_by_page, mut last) = (Vec::new(), 0);
        while let Some(event) = tx.events_after(last, &filter, 1).await?.pop() {
            last = event.sequence;
            page_by_page.push(event);
        }
        assert_eq!(page_by_page, read, "{told:?}");
        let timeline = TimelineFilter { about: About::Told(told.clone()), kinds: Vec::new() };
        let (mut back, mut before) = (Vec::new(), None);
        loop {
            let page = tx.timeline(&timeline, Page { before, limit: 2 }).await?;
            let Some(event) = page.last() else { break };
            before = Some(event.sequence);
            back.extend(page);
        }
        back.reverse();
        assert_eq!(back, read, "{told:?}");
        let kinds = vec![EventKind::ProviderChecked];
        let checked =
            tx.timeline(&TimelineFilter { about: About::Told(told), kinds }, Page { before: None, limit: 9 }).await?;
        assert_eq!(checked.len(), expected.chars().filter(|n| "238".contains(*n)).count());
    }
    Ok(())
}

async fn who_follows_the_tail_misses_none(db: TestDatabase) -> anyhow::Result<()> {
    const WRITERS: u64 = 8;
    const EACH: u64 = 15;
    let world = World::new(db).await?;
    let writers = join_all((0..WRITERS).map(|writer| {
        let world = &world;
        async move {
            for n in 0..EACH {
                let mut tx = world.write().await?;
                let event = |part| NewEvent::new(EventKind::PoolState, format!("{writer}/{n}/{part}"));
                tx.append_events(vec![event(0), event(1)]).await?;
                // Some commit long after they got their sequences.
                tokio::time::sleep(Duration::from_millis((writer * 7 + n * 5) % 4)).await;
                if (writer + n) % 5 == 0 {
                    drop(tx);
                } else {
                    tx.commit().await?;
                }
            }
            Ok::<_, sprout_domain::Error>(())
        }
    }));
    let reader = async {
        let (mut last, mut read) = (0, Vec::new());
        let dropped = (0..WRITERS).flat_map(|w| (0..EACH).map(move |n| (w + n) % 5)).filter(|r| *r == 0).count();
        let wanted = usize::try_from(WRITERS * EACH)? * 2 - dropped * 2;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while read.len() < wanted && tokio::time::Instant::now() < deadline {
            let events = world.read().await?.events_after(last, &EventFilter::default(), 7).await?;
            last = events.last().map_or(last, |event| event.sequence);
            read.extend(events);
        }
        anyhow::ensure!(read.len() == wanted, "{} of {wanted} events were seen", read.len());
        Ok(read)
    };
    let (written, read) = tokio::join!(writers, reader);
    written.into_iter().collect::<Result<Vec<()>, _>>()?;
    let read = read?;
    assert!(read.is_sorted_by(|a, b| a.sequence < b.sequence));
    let texts: BTreeSet<_> = read.iter().map(|event| &event.fact.message).collect();
    assert_eq!(texts.len(), read.len());
    let all = world.read().await?.events_after(0, &EventFilter::default(), 1000).await?;
    assert_eq!(all, read);
    Ok(())
}
