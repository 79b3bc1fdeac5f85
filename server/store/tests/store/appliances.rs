//! Appliances: what is stored comes back, with endpoints; changes mark when; lists are filtered.

use sprout_app::ports::{ApplianceBy, ApplianceChange, ApplianceFilter, Page};
use sprout_domain::{
    appliance::{ApplianceState, PowerState},
    group::Endpoint,
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, provider, to};

on_each_database!(
    many_are_inserted_in_order,
    every_field_changes,
    found_by_name_and_address,
    lists_are_filtered_and_paged,
    statuses_are_set_each_its_own,
    every_state_is_accepted,
);

const POWERS: [PowerState; 6] = [
    PowerState::Unknown,
    PowerState::On,
    PowerState::Off,
    PowerState::Suspended,
    PowerState::Changing,
    PowerState::Absent,
];

const ALL: Page = Page { before: None, limit: 10_000 };

async fn many_are_inserted_in_order(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    // More than one statement can carry.
    let names: Vec<String> = (0..5000).map(|n| format!("a{}", 4999 - n)).collect();
    let inserted = tx.insert_appliances(names.iter().map(|name| world.new_appliance(name)).collect()).await?;
    assert!(inserted.iter().map(|appliance| &appliance.name).eq(&names));
    assert!(inserted.is_sorted_by_key(|appliance| appliance.id));
    assert!(inserted.iter().all(|appliance| appliance.state == ApplianceState::Requested));
    let ids: Vec<_> = inserted.iter().map(|appliance| appliance.id).collect();
    assert_eq!(tx.lock_appliances(&ids).await?, inserted);
    assert!(tx.insert_appliances(vec![]).await?.is_empty());
    Ok(())
}

async fn every_field_changes(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let before = world.appliances(&mut tx, 2, ApplianceState::Preparing).await?;
    let ids: Vec<_> = before.iter().map(|appliance| appliance.id).collect();
    tx.commit().await?;

    let endpoint = |name: &str, port| Endpoint { name: name.to_owned(), host: "h".to_owned(), port, url: None };
    let mut tx = world.write().await?;
    let now = tx.now();
    let change = ApplianceChange {
        state: Some(ApplianceState::Ready),
        power: Some(PowerState::On),
        address: Some("10.0.0.1".to_owned()),
        endpoints: Some(vec![endpoint("web", 80), endpoint("ssh", 65_535)]),
        provider_ref: Some("ref".to_owned()),
        clone_unconfirmed: Some(true),
        status: Some("ready".to_owned()),
        console_url: Some("vnc://h:1".to_owned()),
    };
    tx.change_appliances(&ids, &change).await?;
    tx.change_appliances(&ids[..1], &ApplianceChange { endpoints: Some(vec![]), ..ApplianceChange::default() }).await?;
    tx.change_appliances(&ids, &ApplianceChange::default()).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    tx.change_appliances(&ids, &to(ApplianceState::Ready)).await?;
    let after = tx.lock_appliances(&ids).await?;
    let mut expected = before;
    for (appliance, endpoints) in expected.iter_mut().zip([vec![], vec![endpoint("web", 80), endpoint("ssh", 65_535)]])
    {
        appliance.state = ApplianceState::Ready;
        appliance.power = PowerState::On;
        appliance.address = Some("10.0.0.1".to_owned());
        appliance.endpoints = endpoints;
        appliance.provider_ref = Some("ref".to_owned());
        appliance.clone_unconfirmed = true;
        appliance.status = String::from("ready");
        appliance.console_url = Some("vnc://h:1".to_owned());
        appliance.status_changed_at = now;
        appliance.changed_at = tx.now();
        appliance.ready_at = Some(now); // the first time
        appliance.proven_at = Some(tx.now()); // the last time
        appliance.changed_at = tx.now();
    }
    assert_eq!(after, expected);
    Ok(())
}

async fn found_by_name_and_address(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 2, ApplianceState::Ready).await?;
    let address = ApplianceChange { address: Some("10.0.0.1".to_owned()), ..ApplianceChange::default() };
    tx.change_appliances(&[made[0].id, made[1].id], &address).await?;
    tx.change_appliances(&[made[1].id], &to(ApplianceState::Gone)).await?;

    let id = |found: Option<sprout_domain::appliance::Appliance>| found.map(|appliance| appliance.id);
    assert_eq!(id(tx.appliance(&ApplianceBy::Id(made[1].id)).await?), Some(made[1].id));
    assert_eq!(id(tx.appliance(&ApplianceBy::Name("a1".to_owned())).await?), Some(made[1].id));
    assert_eq!(id(tx.appliance(&ApplianceBy::Address("10.0.0.1".to_owned())).await?), Some(made[0].id));
    assert_eq!(id(tx.appliance(&ApplianceBy::Address("10.0.0.2".to_owned())).await?), None);
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Gone)).await?;
    assert_eq!(id(tx.appliance(&ApplianceBy::Address("10.0.0.1".to_owned())).await?), None);
    Ok(())
}

async fn lists_are_filtered_and_paged(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r").await?;
    let warm = world.appliances(&mut tx, 3, ApplianceState::Ready).await?;
    let mut owned = world.new_appliance("mine");
    owned.pool_id = Some(pool.id);
    let owned = tx.insert_appliances(vec![owned]).await?.remove(0);
    tx.change_appliances(&[warm[0].id], &to(ApplianceState::Gone)).await?;

    let filter = ApplianceFilter::default;
    let mut list = async |filter: ApplianceFilter, page| {
        let found = tx.appliances(&filter, page).await?;
        Ok::<_, sprout_domain::Error>(found.iter().map(|appliance| appliance.id).collect::<Vec<_>>())
    };
    assert_eq!(list(filter(), ALL).await?, [owned.id, warm[2].id, warm[1].id]);
    assert_eq!(list(filter(), Page { before: Some(owned.id.0), limit: 1 }).await?, [warm[2].id]);
    assert_eq!(list(ApplianceFilter { owner_id: Some(world.user.id), ..filter() }, ALL).await?, [owned.id]);
    assert_eq!(list(ApplianceFilter { pool_id: Some(pool.id), ..filter() }, ALL).await?, [owned.id]);
    assert_eq!(list(ApplianceFilter { warm: true, ..filter() }, ALL).await?, [warm[2].id, warm[1].id]);
    assert_eq!(list(ApplianceFilter { states: vec![ApplianceState::Gone], ..filter() }, ALL).await?, [warm[0].id]);
    assert_eq!(list(ApplianceFilter { group: Some("h".into()), ..filter() }, ALL).await?, []);
    assert_eq!(list(ApplianceFilter { group: Some("g".into()), ..filter() }, ALL).await?.len(), 3);
    assert_eq!(list(ApplianceFilter { provider: Some("p2".into()), ..filter() }, ALL).await?, []);

    tx.change_appliances(&[owned.id], &to(ApplianceState::Gone)).await?;
    assert!(tx.appliances_of_pools(&[pool.id], false).await?.is_empty());
    assert_eq!(tx.appliances_of_pools(&[pool.id], true).await?.len(), 1);
    Ok(())
}

async fn statuses_are_set_each_its_own(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 3, ApplianceState::Cloning).await?;
    tx.change_appliances(&[made[2].id], &to(ApplianceState::Killing)).await?;
    let statuses: Vec<_> = made.iter().map(|a| (a.id, format!("\"{}\" it's 50 %", a.name))).collect();
    tx.set_statuses(&statuses).await?;
    tx.set_statuses(&[]).await?;
    let ids: Vec<_> = made.iter().map(|appliance| appliance.id).collect();
    let after: Vec<_> = tx.appliances_by_id(&ids).await?.into_iter().map(|appliance| appliance.status).collect();
    assert_eq!(after, ["\"a0\" it's 50 %", "\"a1\" it's 50 %", ""]);
    Ok(())
}

async fn every_state_is_accepted(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.sync_providers(&[provider("p1", 2, None)]).await?;
    let made = world.appliances(&mut tx, 1, ApplianceState::Requested).await?;
    for state in ApplianceState::ALL {
        tx.change_appliances(&[made[0].id], &to(state)).await?;
        assert_eq!(tx.appliance(&ApplianceBy::Id(made[0].id)).await?.unwrap().state, state);
    }
    for power in POWERS {
        let change = ApplianceChange { power: Some(power), ..ApplianceChange::default() };
        tx.change_appliances(&[made[0].id], &change).await?;
        assert_eq!(tx.appliance(&ApplianceBy::Id(made[0].id)).await?.unwrap().power, power);
    }
    Ok(())
}
