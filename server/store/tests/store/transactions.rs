//! Transactions: all or nothing, one snapshot per reader, a clock that stands still.

use std::time::Duration;

use sprout_app::ports::{ApplianceFilter, Page, PoolFilter, Store as _};
use sprout_domain::{Reason, appliance::ApplianceState, user::Role};
use sprout_store::{SeaStore, StoreOptions};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(
    what_is_dropped_never_happened,
    what_failed_leaves_nothing,
    a_reader_sees_one_moment,
    the_clock_stands_still_and_moves_on,
    readers_cannot_write,
    who_waits_too_long_is_told,
);

const ALL: Page = Page { before: None, limit: 100 };

async fn what_is_dropped_never_happened(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    for _ in 0..3 {
        let mut tx = world.write().await?;
        world.pool(&mut tx, "r").await?;
        drop(tx);
    }
    // Neither did what was cut off in the middle of a statement.
    let mut tx = world.write().await?;
    let cut_off = world.appliances(&mut tx, 3000, ApplianceState::Ready);
    assert!(tokio::time::timeout(Duration::from_millis(1), cut_off).await.is_err());
    drop(tx);

    let mut tx = world.read().await?;
    assert!(tx.pools(&PoolFilter::default(), ALL).await?.is_empty());
    assert!(tx.appliances(&ApplianceFilter::default(), ALL).await?.is_empty());
    drop(tx);
    let mut tx = world.write().await?;
    world.pool(&mut tx, "r").await?;
    tx.commit().await?;
    Ok(())
}

async fn what_failed_leaves_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    world.pool(&mut tx, "r").await?;
    let twins = vec![world.new_appliance("twin"), world.new_appliance("twin")];
    assert_eq!(tx.insert_appliances(twins).await.unwrap_err().reason, Reason::Internal);
    drop(tx);
    let mut tx = world.read().await?;
    assert!(tx.pools(&PoolFilter::default(), ALL).await?.is_empty());
    assert!(tx.appliances(&ApplianceFilter::default(), ALL).await?.is_empty());
    Ok(())
}

async fn a_reader_sees_one_moment(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut reader = world.read().await?;
    assert!(reader.pools(&PoolFilter::default(), ALL).await?.is_empty());
    let mut tx = world.write().await?;
    world.pool(&mut tx, "r").await?;
    world.appliances(&mut tx, 1, ApplianceState::Ready).await?;
    tx.commit().await?;
    assert!(reader.pools(&PoolFilter::default(), ALL).await?.is_empty());
    assert!(reader.appliances(&ApplianceFilter::default(), ALL).await?.is_empty());
    drop(reader);
    assert_eq!(world.read().await?.pools(&PoolFilter::default(), ALL).await?.len(), 1);
    Ok(())
}

async fn the_clock_stands_still_and_moves_on(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let now = tx.now();
    let user = tx.insert_user("bob", "h", Role::User).await?;
    assert_eq!((tx.now(), user.created_at), (now, now));
    assert_eq!(tx.user_by_name("bob").await?.unwrap().0.created_at, now, "moments lose nothing on their way");
    tx.commit().await?;
    assert!(world.write().await?.now() > now);
    Ok(())
}

async fn readers_cannot_write(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.read().await?;
    assert!(tx.insert_user("bob", "h", Role::User).await.is_err());
    drop(tx);
    assert_eq!(world.read().await?.user_by_name("bob").await?, None);
    Ok(())
}

async fn who_waits_too_long_is_told(db: TestDatabase) -> anyhow::Result<()> {
    let options = StoreOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(500),
        ..db.options()
    };
    let store = SeaStore::open(&options).await?;
    let held = store.write().await?;
    let Err(refused) = store.write().await else { anyhow::bail!("two have the only connection") };
    assert_eq!(refused.reason, Reason::DatabaseUnavailable);
    assert!(refused.message.contains("try again"), "{refused}");
    drop(held);
    store.write().await?;
    store.close().await;
    Ok(())
}
