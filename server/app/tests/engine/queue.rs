//! Who waits, and for how long: places in the line, fairness, late binding, swaps, and the ends of waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use sprout_app::{
    App, Placed,
    ports::{FoundTemplate, Page, Store as _, TaskFilter},
};
use sprout_domain::{
    PoolId, Reason, Secret,
    appliance::ApplianceState,
    pool::{PoolRequest, PoolState, Priority},
    provider::{Circuit, CircuitState},
    quota::Quota,
    template::{BuildDate, Said},
    user::{Role, User},
    version::Version,
    worker::Slots,
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, server, spec, well};

on_each_database!(
    two_hundred_race_for_fifty_and_the_rest_stand_in_line,
    an_interactive_request_is_next_and_the_batch_is_not_starved,
    what_waits_goes_where_a_slot_gets_free,
    what_is_warm_goes_to_those_who_wait_and_not_past_them,
    an_unfinished_appliance_is_swapped_for_a_warm_one,
    a_failed_deployment_is_made_up_for_elsewhere,
    what_is_requested_where_the_circuit_opens_goes_elsewhere,
    what_is_requested_on_a_provider_that_was_taken_away_goes_elsewhere,
    a_request_for_a_provider_that_does_not_work_now_waits_for_it,
    two_placers_at_once_never_exceed_limits,
    warm_appliances_that_nobody_waits_for_make_room,
    a_client_that_falls_silent_loses_its_place,
    who_waits_for_too_long_fails_and_says_so,
    a_wait_is_explained,
    contradictions_and_overrides_are_refused,
    a_killed_pool_waits_no_more,
    quotas_hold_for_requests_that_come_together,
);

fn wanted(id: &str, count: u32) -> PoolRequest {
    PoolRequest::new(id.to_owned(), "app", count)
}

/// Limits of the provider of the tests: deployments at once, and appliances.
async fn limit(world: &World, key: &str, provisioning: u32, appliances: Option<u32>) -> anyhow::Result<()> {
    let mut catalogue = (*world.app.catalogue()).clone();
    let mut spec = catalogue.providers[&"lab".into()].clone();
    (spec.key, spec.provisioning_limit, spec.appliance_limit) = (key.into(), provisioning, appliances);
    catalogue.providers.insert(spec.key.clone(), spec);
    world.app.set_catalogue(catalogue).await?;
    Ok(())
}

/// Another provider with the same template.
async fn another(world: &World, key: &str, provisioning: u32) -> anyhow::Result<()> {
    limit(world, key, provisioning, None).await?;
    template(world, key).await?;
    works(world, key, true).await
}

async fn template(world: &World, key: &str) -> anyhow::Result<()> {
    let found = FoundTemplate {
        name: "app-1.0".to_owned(),
        group: "app".into(),
        version: Version::new("1.0"),
        date: BuildDate::default(),
        said: Said::default(),
    };
    let mut tx = world.database.store().write().await?;
    tx.sync_templates(&key.into(), &[found]).await?;
    Ok(tx.commit().await?)
}

async fn works(world: &World, key: &str, working: bool) -> anyhow::Result<()> {
    let mut tx = world.database.store().write().await?;
    tx.set_checked(&key.into(), working, "as the test wants").await?;
    Ok(tx.commit().await?)
}

async fn request(world: &World, user: &User, request: PoolRequest) -> anyhow::Result<PoolId> {
    Ok(world.app.request_pool(user, request).await?.view.pool.id)
}

/// Another user who sees all.
async fn user(world: &World, name: &str) -> anyhow::Result<User> {
    Ok(world.app.create_user(name, Secret::new("correct horse"), Role::Staff).await?)
}

async fn place(app: &App) -> anyhow::Result<()> {
    while app.place_waiting().await? == Placed::More {}
    Ok(())
}

async fn two_hundred_race_for_fifty_and_the_rest_stand_in_line(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 0, None).await?;
    world.warm(50).await?;
    let names: Vec<_> = (0..200).map(|n| format!("r{n}")).collect();
    let all = names.iter().map(|name| request(&world, &world.user, wanted(name, 1)));
    let ids: Vec<_> = join_all(all).await.into_iter().collect::<Result<_, _>>()?;
    place(&world.app).await?;
    let mut places = BTreeSet::new();
    let mut granted = BTreeSet::new();
    for id in ids {
        let view = world.pool(id).await?;
        if view.pool.state == PoolState::Ready {
            granted.extend(view.appliances.iter().map(|appliance| appliance.id));
        } else {
            assert_eq!((view.pool.state, view.pool.waiting_count), (PoolState::Waiting, 1));
            let place = view.place.ok_or_else(|| anyhow::anyhow!("no place in the line"))?;
            assert!(view.pool.status.starts_with(&format!("number {} in line: lab: ", place.first)));
            places.insert(place.first);
        }
    }
    assert_eq!(granted.len(), 50);
    assert_eq!(places, (1..=150).collect());
    Ok(())
}

async fn an_interactive_request_is_next_and_the_batch_is_not_starved(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 2, None).await?;
    let worker = world.worker("w", &[]).await?;
    let batch = PoolRequest { priority: Some(Priority::Batch), ..wanted("many", 200) };
    let many = request(&world, &world.user, batch).await?;
    let ben = user(&world, "ben").await?;
    let few = request(&world, &ben, wanted("few", 2)).await?;
    assert_eq!(world.pool(many).await?.appliances.len(), 2, "as many as there is room for");
    assert_eq!(world.app.pool(&ben, few).await?.place.map(|place| place.first), Some(1));
    assert_eq!(world.pool(many).await?.place.map(|place| (place.first, place.last)), Some((3, 200)));
    worker.work().await?;
    place(&world.app).await?;
    assert_eq!(world.app.pool(&ben, few).await?.appliances.len(), 2, "it is the second to be served");
    for _ in 0..3 {
        worker.work().await?;
        place(&world.app).await?;
    }
    assert_eq!(world.app.pool(&ben, few).await?.pool.state, PoolState::Ready);
    assert!(world.pool(many).await?.appliances.len() >= 6, "and the first goes on");
    Ok(())
}

async fn what_waits_goes_where_a_slot_gets_free(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = user(&world, "ben").await?;
    limit(&world, "lab", 1, None).await?;
    another(&world, "second", 1).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = request(&world, &ben, wanted("three", 3)).await?;
    let there = world.app.pool(&ben, pool).await?;
    assert_eq!((there.appliances.len(), there.pool.waiting_count), (2, 1));
    let claimed = worker.claim().await?;
    let second = claimed.iter().find(|assignment| assignment.task.provider.0 == "second").unwrap();
    worker.finish(key(second), well(StepKind::Clone)).await?;
    // Only the one on the second provider goes on.
    loop {
        let steps = worker.claim().await?;
        if steps.is_empty() {
            break;
        }
        for step in steps {
            worker.finish(key(&step), well(step.task.step)).await?;
        }
    }
    place(&world.app).await?;
    let view = world.app.pool(&ben, pool).await?;
    assert_eq!(view.pool.waiting_count, 0);
    assert_eq!(view.appliances[2].provider.0, "second", "that is where a slot got free");
    Ok(())
}

async fn what_is_warm_goes_to_those_who_wait_and_not_past_them(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 0, None).await?;
    let first = request(&world, &world.user, wanted("first", 2)).await?;
    world.warm(1).await?;
    let second = request(&world, &world.user, wanted("second", 1)).await?;
    assert_eq!(world.pool(second).await?.ready_count(), 0, "the one that is warm is not for who comes last");
    place(&world.app).await?;
    let view = world.pool(first).await?;
    assert_eq!((view.pool.state, view.ready_count(), view.pool.waiting_count), (PoolState::Provisioning, 1, 1));
    assert_eq!(view.leased_until(), None);
    Ok(())
}

async fn an_unfinished_appliance_is_swapped_for_a_warm_one(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = request(&world, &world.user, wanted("two", 2)).await?;
    let claimed = worker.claim().await?;
    assert_eq!(claimed.len(), 2);
    world.warm(1).await?;
    place(&world.app).await?;
    let view = world.pool(pool).await?;
    assert_eq!((view.appliances.len(), view.ready_count()), (2, 1));
    for assignment in &claimed {
        assert!(worker.finish(key(assignment), well(StepKind::Clone)).await?, "both go on");
    }
    worker.work().await?;
    let view = world.pool(pool).await?;
    assert_eq!((view.pool.state, view.ready_count()), (PoolState::Ready, 2));
    let next = request(&world, &world.user, wanted("next", 1)).await?;
    assert_eq!(world.pool(next).await?.pool.state, PoolState::Ready, "the one that went on for nobody is warm");
    Ok(())
}

async fn a_failed_deployment_is_made_up_for_elsewhere(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = user(&world, "ben").await?;
    another(&world, "second", 1).await?;
    limit(&world, "lab", 1, None).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = request(&world, &ben, wanted("one", 1)).await?;
    let claimed = worker.claim().await?;
    let failed_on = claimed[0].task.provider.clone();
    worker.finish(key(&claimed[0]), badly(StepErrorReason::NameTaken)).await?;
    let view = world.app.pool(&ben, pool).await?;
    assert_eq!((view.pool.waiting_count, view.pool.avoided_provider.clone()), (1, Some(failed_on.clone())));
    place(&world.app).await?;
    worker.work().await?;
    let view = world.app.pool(&ben, pool).await?;
    let ready = view.appliances.iter().find(|appliance| appliance.state == ApplianceState::Ready).unwrap();
    assert_ne!(ready.provider, failed_on);
    assert_eq!(view.pool.state, PoolState::Ready);
    Ok(())
}

async fn circuit(world: &World, key: &str, state: CircuitState) -> anyhow::Result<()> {
    let mut tx = world.database.store().write().await?;
    let circuit = tx.lock_circuit(&key.into()).await?.unwrap();
    let next_try_at = (state != CircuitState::Closed).then(|| tx.now() + Duration::from_secs(60));
    tx.set_circuit(&key.into(), &Circuit { state, next_try_at, ..circuit }).await?;
    Ok(tx.commit().await?)
}

async fn what_is_requested_where_the_circuit_opens_goes_elsewhere(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = user(&world, "ben").await?;
    let mut worker = world.worker("w", &[]).await?;
    let pool = request(&world, &ben, wanted("many", 4)).await?;
    let bound = request(&world, &ben, PoolRequest { provider: Some("lab".into()), ..wanted("bound", 1) }).await?;
    worker.slots = Slots { shared: 1, ..Slots::default() };
    let begun = worker.claim().await?.remove(0);
    circuit(&world, "lab", CircuitState::Open).await?;
    place(&world.app).await?;
    assert_eq!(world.app.pool(&ben, pool).await?.appliances.len(), 4, "there is nowhere else");

    another(&world, "second", 9).await?;
    let (one, two) = tokio::join!(world.app.place_waiting(), world.app.place_waiting());
    one?;
    two?;
    place(&world.app).await?;
    let view = world.app.pool(&ben, pool).await?;
    let mut on: Vec<_> = view.appliances.iter().map(|appliance| (&*appliance.provider.0, appliance.state)).collect();
    on.sort_unstable();
    let requested = ("second", ApplianceState::Requested);
    assert_eq!(
        (view.pool.waiting_count, on),
        (0, vec![("lab", ApplianceState::Cloning), requested, requested, requested])
    );
    let there = world.app.pool(&ben, bound).await?.appliances;
    assert_eq!(
        there.iter().map(|a| (&*a.provider.0, a.state)).collect::<Vec<_>>(),
        [("lab", ApplianceState::Requested)]
    );

    // What had begun goes on where it is, and closes the circuit.
    assert!(worker.finish(key(&begun), well(StepKind::Clone)).await?);
    worker.work().await?;
    for id in [pool, bound] {
        assert_eq!(world.app.pool(&ben, id).await?.pool.state, PoolState::Ready);
    }
    Ok(())
}

async fn what_is_requested_on_a_provider_that_was_taken_away_goes_elsewhere(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let ben = user(&world, "ben").await?;
    let worker = world.worker("w", &[]).await?;
    let pool = request(&world, &ben, wanted("two", 2)).await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    catalogue.providers.remove(&"lab".into());
    world.app.set_catalogue(catalogue).await?;
    place(&world.app).await?;
    let view = world.app.pool(&ben, pool).await?;
    assert!(view.appliances.iter().all(|a| a.status.contains("lab: it is not configured any more")), "{view:?}");
    let why = world.app.explain_pool(&ben, pool).await?;
    let reasons: Vec<_> = why.reasons.iter().map(|reason| (reason.never, reason.code)).collect();
    assert_eq!((reasons, why.ready_in), (vec![(true, "NOT_CONFIGURED")], None));
    // It can be seen, whatever the configuration says.
    let filter = TaskFilter { provider: Some("lab".into()), ..TaskFilter::default() };
    let tasks = world.app.tasks(&filter, Page { before: None, limit: 9 }).await?;
    assert!(tasks.iter().any(|task| task.status.contains("lab: it is not configured any more")), "{tasks:?}");
    let unknown = TaskFilter { provider: Some("nowhere".into()), ..TaskFilter::default() };
    let unknown = world.app.tasks(&unknown, Page { before: None, limit: 9 }).await;
    assert_eq!(unknown.unwrap_err().reason, Reason::ProviderNotFound);

    let mut catalogue = (*world.app.catalogue()).clone();
    let spec = spec("second", 9);
    catalogue.providers.insert(spec.key.clone(), spec);
    world.app.set_catalogue(catalogue).await?;
    template(&world, "second").await?;
    works(&world, "second", true).await?;
    place(&world.app).await?;
    worker.work().await?;
    let view = world.app.pool(&ben, pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready);
    assert!(view.appliances.iter().all(|appliance| appliance.provider.0 == "second"), "{view:?}");
    Ok(())
}

async fn a_request_for_a_provider_that_does_not_work_now_waits_for_it(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    works(&world, "lab", false).await?;
    let pool = request(&world, &world.user, wanted("one", 1)).await?;
    place(&world.app).await?;
    assert_eq!(world.pool(pool).await?.pool.waiting_count, 1);
    let why = world.app.explain_pool(&world.user, pool).await?;
    assert_eq!(
        why.reasons.iter().map(|reason| (reason.never, reason.code)).collect::<Vec<_>>(),
        [(false, "PROVIDER_NOT_WORKING")]
    );
    works(&world, "lab", true).await?;
    place(&world.app).await?;
    assert_eq!(world.pool(pool).await?.appliances.len(), 1);
    Ok(())
}

async fn two_placers_at_once_never_exceed_limits(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 5, Some(7)).await?;
    let other = server(&world.database, (*world.app.catalogue()).clone()).await?;
    for n in 0..4 {
        request(&world, &world.user, wanted(&format!("r{n}"), 3)).await?;
    }
    let worker = world.worker("w", &[]).await?;
    for _ in 0..4 {
        let (a, b) = tokio::join!(place(&world.app), place(&other));
        a?;
        b?;
        let mut tx = world.database.store().read().await?;
        let room = tx.room(&["lab".into()]).await?[&"lab".into()];
        assert!(room.provisioning_count <= 5 && room.appliance_count <= 7, "{room:?}");
        drop(tx);
        worker.work().await?;
    }
    place(&world.app).await?;
    let mut tx = world.database.store().read().await?;
    assert_eq!(tx.room(&["lab".into()]).await?[&"lab".into()].appliance_count, 7);
    Ok(())
}

async fn warm_appliances_that_nobody_waits_for_make_room(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(2).await?;
    limit(&world, "lab", 5, Some(2)).await?;
    // A new template instead of the one that is warm.
    let found = FoundTemplate {
        name: "app-2.0".to_owned(),
        group: "app".into(),
        version: Version::new("2.0"),
        date: BuildDate::default(),
        said: Said::default(),
    };
    let mut tx = world.database.store().write().await?;
    tx.sync_templates(&"lab".into(), &[found]).await?;
    tx.commit().await?;
    let pool = request(&world, &world.user, wanted("one", 1)).await?;
    place(&world.app).await?;
    place(&world.app).await?;
    let worker = world.worker("w", &[]).await?;
    assert_eq!(worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone], "one, and no more");
    place(&world.app).await?;
    worker.work().await?;
    assert_eq!(world.pool(pool).await?.pool.state, PoolState::Ready);
    Ok(())
}

async fn a_client_that_falls_silent_loses_its_place(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 0, None).await?;
    let keep = PoolRequest { keep_alive: Some(Duration::from_secs(60)), ..wanted("kept", 1) };
    let kept = request(&world, &world.user, keep).await?;
    let regardless = request(&world, &world.user, wanted("regardless", 1)).await?;
    let until = world.app.keep_pool_alive(&world.user, kept).await?.unwrap();
    assert_eq!(world.app.keep_pool_alive(&world.user, regardless).await?, None);
    assert!(world.app.end_overdue_pools().await?.is_some_and(|left| left <= Duration::from_secs(60)));
    let mut tx = world.database.store().write().await?;
    tx.keep_until(kept, until - chrono::TimeDelta::seconds(61)).await?;
    tx.commit().await?;
    while world.app.end_overdue_pools().await? == Some(Duration::ZERO) {}
    let dropped = world.pool(kept).await?.pool;
    assert_eq!((dropped.state, dropped.waiting_count), (PoolState::Failed, 0));
    assert!(dropped.status.contains("keep-alive"), "{}", dropped.status);
    assert_eq!(world.pool(regardless).await?.pool.state, PoolState::Waiting);
    assert_eq!(world.app.keep_pool_alive(&world.user, kept).await?, None);
    Ok(())
}

async fn who_waits_for_too_long_fails_and_says_so(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 1, None).await?;
    let short = PoolRequest { wait_limit: Some(Duration::from_secs(1)), ..wanted("short", 2) };
    let pool = request(&world, &world.user, short).await?;
    while world.pool(pool).await?.pool.state != PoolState::Failed {
        if let Some(left) = world.app.end_overdue_pools().await? {
            tokio::time::sleep(left.min(Duration::from_secs(2))).await;
        }
    }
    let view = world.pool(pool).await?;
    assert!(view.pool.status.contains("time limit"), "{}", view.pool.status);
    assert_eq!((view.pool.waiting_count, view.appliances.len()), (0, 0), "nothing of it is left");
    Ok(())
}

async fn a_wait_is_explained(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    limit(&world, "lab", 1, Some(2)).await?;
    let first = request(&world, &world.user, wanted("first", 2)).await?;
    let why = world.app.explain_pool(&world.user, first).await?;
    let codes = |why: &sprout_app::Explanation| why.reasons.iter().map(|r| (r.never, r.code)).collect::<Vec<_>>();
    assert_eq!(codes(&why), [(false, "NO_SLOT")]);
    assert_eq!(why.view.place.map(|place| place.first), Some(1));
    assert_eq!(why.ready_in, None, "nothing was measured: {}", why.basis);
    for _ in 0..2 {
        worker.work().await?;
        place(&world.app).await?;
    }
    worker.work().await?;
    let ready = world.pool(first).await?;
    assert_eq!(ready.pool.state, PoolState::Ready);
    let second = request(&world, &world.user, wanted("second", 1)).await?;
    let why = world.app.explain_pool(&world.user, second).await?;
    assert_eq!(codes(&why), [(false, "APPLIANCE_LIMIT")]);
    assert_eq!(why.reasons[0].until, ready.leased_until());
    assert!(why.ready_in.is_some_and(|time| time > Duration::from_secs(1800)), "{why:?}");
    assert!(why.basis.contains("median"), "{}", why.basis);
    assert!(world.app.explain_pool(&world.user, first).await?.reasons.is_empty());
    // A template that goes makes it hopeless.
    let mut tx = world.database.store().write().await?;
    tx.sync_templates(&"lab".into(), &[]).await?;
    tx.commit().await?;
    let why = world.app.explain_pool(&world.user, second).await?;
    assert_eq!((codes(&why), why.ready_in), (vec![(true, "NO_TEMPLATE")], None));
    Ok(())
}

async fn contradictions_and_overrides_are_refused(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let user = User { role: Role::User, ..world.user.clone() };
    let refusal = async |request: PoolRequest| world.app.request_pool(&user, request).await.unwrap_err();
    let of = |provider_type: &str, provider: Option<&str>| PoolRequest {
        provider_type: Some(provider_type.to_owned()),
        provider: provider.map(Into::into),
        ..wanted("x", 1)
    };
    let reasons: BTreeMap<_, _> = [
        ("type", refusal(of("vsphere", None)).await.reason),
        ("both", refusal(of("libvirt", Some("lab"))).await.reason),
        ("cpus", refusal(PoolRequest { cpus: Some(2), ..wanted("x", 1) }).await.reason),
        ("kind", refusal(PoolRequest { unconfigured: true, ..wanted("x", 1) }).await.reason),
    ]
    .into();
    let expected = [
        ("type", Reason::InvalidArgument),
        ("both", Reason::InvalidArgument),
        ("cpus", Reason::OverrideNotAllowed),
        ("kind", Reason::NoTemplate),
    ];
    assert_eq!(reasons, expected.into());
    Ok(())
}

async fn a_killed_pool_waits_no_more(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    limit(&world, "lab", 1, None).await?;
    let first = request(&world, &world.user, wanted("first", 3)).await?;
    let second = request(&world, &world.user, wanted("second", 1)).await?;
    world.app.kill_pool(&world.user, first).await?;
    place(&world.app).await?;
    let worker = world.worker("w", &[]).await?;
    worker.work().await?;
    place(&world.app).await?;
    worker.work().await?;
    assert_eq!(world.pool(first).await?.pool.state, PoolState::Ended);
    assert_eq!(world.pool(second).await?.pool.state, PoolState::Ready);
    Ok(())
}

async fn quotas_hold_for_requests_that_come_together(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.database.store().write().await?;
    let quota = Quota { appliances_per_pool: Some(4), appliances: Some(6), ..Quota::default() };
    tx.set_quota(world.user.id, &quota).await?;
    tx.commit().await?;
    let names: Vec<_> = (0..5).map(|n| format!("r{n}")).collect();
    let all = names.iter().map(|name| world.app.request_pool(&world.user, wanted(name, 2)));
    let answers = join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert!(answers.into_iter().filter_map(Result::err).all(|error| error.reason == Reason::QuotaExceeded));
    let large = world.app.request_pool(&world.user, wanted("large", 5)).await.unwrap_err();
    assert_eq!(large.reason, Reason::QuotaExceeded);
    assert_eq!(world.app.request_pool(&world.user, wanted("none", 0)).await?.view.pool.state, PoolState::Ended);
    Ok(())
}
