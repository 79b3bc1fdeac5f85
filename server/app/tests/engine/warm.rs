//! What is kept warm: refilled where there is room, without a gap, never ahead of users, never twice, and nothing is left of what nobody wants.

use std::collections::BTreeMap;

use futures::future::join_all;
use sprout_app::{
    ShepherdView, WantedShepherd,
    ports::{ApplianceFilter, FoundTemplate, NewPool, Page, ShepherdFilter, Store as _},
};
use sprout_domain::{
    ProviderKey, Reason, Result,
    appliance::{Appliance, ApplianceState},
    demand::Demand,
    pool::{PoolState, Priority},
    shepherd::Action,
    template::{BuildDate, Said},
    user::{Role, User},
    version::Version,
    workflow::{StepErrorReason, StepKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, badly, key, well};

on_each_database!(
    what_is_set_is_what_is_told,
    bad_shepherds_change_nothing,
    a_refill_fills_slots_and_spreads,
    old_ones_stay_until_new_ones_are_ready,
    surplus_goes_and_what_was_not_begun_first,
    what_can_no_longer_be_used_is_retired,
    two_servers_at_once_make_no_double,
    waiting_users_come_first,
    a_failed_template_rests,
    stock_of_a_user_group_is_where_it_can_see_it,
    a_plan_is_what_is_done,
    demand_raises_what_is_wanted,
);

const ALL: Page = Page { before: None, limit: 1_000 };

fn staff(world: &World) -> User {
    User { role: Role::Staff, ..world.user.clone() }
}

pub(crate) fn wanted(preconfigured: u32) -> WantedShepherd {
    WantedShepherd { group: "app".into(), user_group: None, preconfigured, unconfigured: 0, demand: None }
}

/// Has so many kept warm for everyone, and sees to it once.
async fn keep(world: &World, count: u32) -> Result<ShepherdView> {
    let view = world.app.set_shepherd(&staff(world), wanted(count)).await?;
    world.app.refill_warm().await?;
    Ok(view)
}

/// The warm ones, oldest first.
async fn warm(world: &World) -> Result<Vec<Appliance>> {
    let filter = ApplianceFilter { warm: true, ..ApplianceFilter::default() };
    let mut found = world.database.store().read().await?.appliances(&filter, ALL).await?;
    found.reverse();
    Ok(found)
}

/// How many of each template are in each state.
async fn told(world: &World) -> Result<Vec<String>> {
    let mut counts: BTreeMap<_, u32> = BTreeMap::new();
    for appliance in warm(world).await? {
        *counts.entry(format!("{} {}", appliance.template, appliance.state)).or_default() += 1;
    }
    Ok(counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect())
}

/// The provider has these templates now.
async fn find(world: &World, provider: &str, versions: &[&str]) -> Result<()> {
    let found = |version: &&str| FoundTemplate {
        name: format!("app-{version}"),
        group: "app".into(),
        version: Version::new(*version),
        date: BuildDate::default(),
        said: Said::default(),
    };
    let mut tx = world.database.store().write().await?;
    tx.sync_templates(&provider.into(), &versions.iter().map(found).collect::<Vec<_>>()).await?;
    tx.set_checked(&provider.into(), true, "fine").await?;
    tx.commit().await
}

async fn what_is_set_is_what_is_told(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let staff = staff(&world);
    let view = world.app.set_shepherd(&staff, wanted(3)).await?;
    assert_eq!((view.wanted, view.preconfigured.warm, view.version.as_deref()), (3, 0, Some("1.0")));
    assert_eq!(view.status, "3 are about to be deployed");
    let theirs = WantedShepherd { user_group: Some("testers".to_owned()), unconfigured: 2, ..wanted(1) };
    world.app.set_shepherd(&staff, theirs).await?;
    let list = async |user: &User, filter| world.app.shepherds(user, filter).await;
    let names = |views: Vec<ShepherdView>| {
        views
            .iter()
            .map(|v| (v.shepherd.flock.name().to_owned(), v.wanted, v.shepherd.unconfigured))
            .collect::<Vec<_>>()
    };
    let both = [(String::new(), 3, 0), ("testers".to_owned(), 1, 2)];
    assert_eq!(names(list(&staff, ShepherdFilter::default()).await?), both);
    assert_eq!(names(list(&world.user, ShepherdFilter::default()).await?), both);
    let ben = world.app.create_user("ben", sprout_domain::Secret::new("correct horse"), Role::User).await?;
    assert_eq!(names(list(&ben, ShepherdFilter::default()).await?), both[..1]);
    let filter = ShepherdFilter { user_group: Some("testers".to_owned()), ..ShepherdFilter::default() };
    assert_eq!(names(list(&staff, filter).await?), both[1..]);
    assert_eq!(world.app.group(&"app".into()).await?.1, 6);
    world.app.set_shepherd(&staff, wanted(0)).await?;
    assert_eq!(names(list(&staff, ShepherdFilter::default()).await?), both[1..]);
    Ok(())
}

async fn bad_shepherds_change_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let none = Demand { min: 0, max: 0, schedule: vec![] };
    for (bad, reason) in [
        (WantedShepherd { group: "other".into(), ..wanted(1) }, Reason::GroupNotFound),
        (WantedShepherd { user_group: Some("nobody".to_owned()), ..wanted(1) }, Reason::UserGroupNotFound),
        (wanted(1_000_000), Reason::InvalidArgument),
        (WantedShepherd { demand: Some(none), ..wanted(0) }, Reason::InvalidArgument),
    ] {
        assert_eq!(world.app.plan_shepherd(&bad).await.unwrap_err().reason, reason);
        assert_eq!(world.app.set_shepherd(&staff(&world), bad).await.unwrap_err().reason, reason);
    }
    assert!(world.app.shepherds(&staff(&world), ShepherdFilter::default()).await?.is_empty());
    Ok(())
}

async fn a_refill_fills_slots_and_spreads(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_providers(db, &[("lab", 2), ("den", 3)]).await?;
    find(&world, "den", &["1.0"]).await?;
    keep(&world, 9).await?;
    let on = |key: &str, found: &[Appliance]| found.iter().filter(|a| a.provider == ProviderKey::from(key)).count();
    let first = warm(&world).await?;
    assert_eq!((on("lab", &first), on("den", &first)), (2, 3));
    world.app.refill_warm().await?;
    assert_eq!(warm(&world).await?.len(), 5, "what is on its way counts as there");
    let worker = world.worker("w", &[]).await?;
    worker.work().await?;
    world.app.refill_warm().await?;
    worker.work().await?;
    world.app.refill_warm().await?;
    assert_eq!(told(&world).await?, ["9 app-1.0 ready"]);
    Ok(())
}

async fn old_ones_stay_until_new_ones_are_ready(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    keep(&world, 2).await?;
    worker.work().await?;
    find(&world, "lab", &["1.0", "1.1"]).await?;
    world.app.refill_warm().await?;
    assert_eq!(told(&world).await?, ["2 app-1.0 ready", "2 app-1.1 requested"]);
    // One of the new ones gets ready.
    while !told(&world).await?.contains(&"1 app-1.1 ready".to_owned()) {
        let claimed = worker.claim().await?;
        let steps: Vec<_> = claimed.iter().filter(|assignment| assignment.task.step == StepKind::WaitReady).collect();
        let now = if steps.is_empty() { claimed.iter().collect() } else { vec![steps[0]] };
        for assignment in now {
            assert!(worker.finish(key(assignment), well(assignment.task.step)).await?);
        }
    }
    world.app.refill_warm().await?;
    let states = told(&world).await?;
    assert!(
        states.contains(&"1 app-1.0 ready".to_owned()) && states.contains(&"1 app-1.0 killing".to_owned()),
        "{states:?}"
    );
    Ok(())
}

async fn surplus_goes_and_what_was_not_begun_first(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    keep(&world, 3).await?;
    worker.work().await?;
    let oldest = warm(&world).await?[0].id;
    keep(&world, 5).await?;
    assert_eq!(told(&world).await?, ["3 app-1.0 ready", "2 app-1.0 requested"]);
    keep(&world, 2).await?;
    assert_eq!(told(&world).await?, ["1 app-1.0 killing", "2 app-1.0 ready"]);
    let killed: Vec<_> = warm(&world).await?.into_iter().filter(|a| a.state == ApplianceState::Killing).collect();
    assert_eq!(killed[0].id, oldest);
    keep(&world, 0).await?;
    worker.work().await?;
    assert!(warm(&world).await?.is_empty());
    Ok(())
}

async fn what_can_no_longer_be_used_is_retired(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_providers(db, &[("lab", 9), ("den", 9)]).await?;
    let worker = world.worker("w", &[]).await?;
    keep(&world, 2).await?;
    worker.work().await?;
    // Away: kept, and made elsewhere meanwhile.
    let mut tx = world.database.store().write().await?;
    tx.set_checked(&"lab".into(), false, "does not answer").await?;
    tx.commit().await?;
    find(&world, "den", &["1.0"]).await?;
    world.app.refill_warm().await?;
    assert_eq!(told(&world).await?, ["2 app-1.0 ready", "2 app-1.0 requested"]);
    worker.work().await?;
    find(&world, "lab", &[]).await?;
    world.app.refill_warm().await?;
    assert_eq!(told(&world).await?, ["2 app-1.0 killing", "2 app-1.0 ready"]);
    assert!(warm(&world).await?.iter().all(|a| (a.state == ApplianceState::Ready) == (a.provider.0 == "den")));
    Ok(())
}

async fn two_servers_at_once_make_no_double(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.app.set_shepherd(&staff(&world), wanted(4)).await?;
    let other = world.another_server().await?;
    for done in join_all([world.app.refill_warm(), other.refill_warm(), world.app.refill_warm()]).await {
        done?;
    }
    assert_eq!(told(&world).await?, ["4 app-1.0 requested"]);
    Ok(())
}

async fn waiting_users_come_first(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.database.store().write().await?;
    let waiting = tx.insert_pools(vec![waiting(&world.user)]).await?;
    tx.commit().await?;
    let view = keep(&world, 2).await?;
    assert_eq!(view.status, "users wait for lab, and come first");
    assert!(warm(&world).await?.is_empty());
    world.app.kill_pool(&world.user, waiting[0].id).await?;
    world.app.refill_warm().await?;
    assert_eq!(told(&world).await?, ["2 app-1.0 requested"]);
    Ok(())
}

fn waiting(owner: &User) -> NewPool {
    NewPool {
        request_id: "r".to_owned(),
        fingerprint: "f".to_owned(),
        owner: owner.clone(),
        group: "app".into(),
        version: Version::new("1.0"),
        date: BuildDate::default(),
        provider: None,
        count: 1,
        lease: std::time::Duration::from_secs(60),
        description: String::new(),
        memory_mib: None,
        cpus: None,
        provider_type: None,
        template_type: None,
        unconfigured: false,
        update: false,
        priority: Priority::Interactive,
        waiting_count: 1,
        keep_alive: None,
        alive_until: None,
        wait_until: None,
        state: PoolState::Waiting,
    }
}

async fn a_failed_template_rests(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    keep(&world, 1).await?;
    let claimed = worker.claim().await?;
    assert!(worker.finish(key(&claimed[0]), badly(StepErrorReason::Invalid)).await?);
    world.app.refill_warm().await?;
    assert_eq!(warm(&world).await?.iter().filter(|a| a.state.counts()).count(), 0);
    let view = world.app.shepherds(&staff(&world), ShepherdFilter::default()).await?.remove(0);
    assert_eq!(view.status, "the last deployment of app-1.0 failed; it is tried again in a minute");
    Ok(())
}

async fn stock_of_a_user_group_is_where_it_can_see_it(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_providers(db, &[("lab", 9), ("den", 9)]).await?;
    find(&world, "den", &["1.0", "1.1"]).await?;
    let theirs = WantedShepherd { user_group: Some("testers".to_owned()), ..wanted(2) };
    world.app.set_shepherd(&staff(&world), theirs).await?;
    keep(&world, 1).await?;
    // The testers see the lab only, where 1.0 is the newest.
    let found: Vec<_> =
        warm(&world).await?.into_iter().map(|a| (a.provider.0, a.template, a.user_group_id.is_some())).collect();
    let mut found: Vec<_> = found.iter().map(|(p, t, theirs)| (p.as_str(), t.as_str(), *theirs)).collect();
    found.sort_unstable();
    assert_eq!(found, [("den", "app-1.1", false), ("lab", "app-1.0", true), ("lab", "app-1.0", true)]);
    Ok(())
}

async fn a_plan_is_what_is_done(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::with_providers(db, &[("lab", 2)]).await?;
    let planned = world.app.plan_shepherd(&wanted(3)).await?;
    assert_eq!((planned.now.wanted, planned.wanted), (0, 3));
    let changes: Vec<_> = planned.changes.iter().map(|change| (change.action, change.count)).collect();
    assert_eq!(changes, [(Action::Deploy, 2), (Action::Wait, 1)]);
    assert!(warm(&world).await?.is_empty(), "a plan changes nothing");
    keep(&world, 3).await?;
    assert_eq!(told(&world).await?, ["2 app-1.0 requested"]);
    Ok(())
}

async fn demand_raises_what_is_wanted(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let by_demand = |max| WantedShepherd { demand: Some(Demand { min: 1, max, schedule: vec![] }), ..wanted(0) };
    let quiet = world.app.set_shepherd(&staff(&world), by_demand(50)).await?;
    assert_eq!((quiet.wanted, quiet.measured.map(|measured| measured.provisioning)), (1, Some(None)));
    let worker = world.worker("w", &[]).await?;
    world.request(30, std::time::Duration::from_secs(600)).await?;
    worker.work().await?;
    let busy = world.app.plan_shepherd(&by_demand(50)).await?.now;
    let measured = busy.measured.unwrap();
    assert!((measured.per_hour - 10.0).abs() < 0.1, "{measured:?}");
    assert!(measured.provisioning.is_some(), "{measured:?}");
    Ok(())
}
