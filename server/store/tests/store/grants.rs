//! Warm appliances: granted once each, the longest ready first.

use std::collections::BTreeSet;

use futures::future::join_all;
use sprout_app::ports::TemplateFilter;
use sprout_domain::{TemplateId, appliance::ApplianceState};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, found, to};

on_each_database!(twenty_want_ten, the_longest_ready_first, only_what_is_ready_and_plain,);

async fn twenty_want_ten(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    world.appliances(&mut tx, 10, ApplianceState::Ready).await?;
    let mut pools = Vec::new();
    for n in 0..20 {
        pools.push(world.pool(&mut tx, &format!("r{n}")).await?.id);
    }
    tx.commit().await?;

    let grants = join_all(pools.iter().map(|pool| async {
        let mut tx = world.write().await?;
        let granted = World::grant(&mut tx, *pool, &[world.template.id], 1).await?;
        tokio::task::yield_now().await;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(granted)
    }));
    let granted: Vec<Vec<_>> = grants.await.into_iter().collect::<Result<_, _>>()?;
    let ids: Vec<_> = granted.iter().flatten().map(|appliance| appliance.id).collect();
    assert_eq!(ids.len(), 10);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 10);

    let mut tx = world.read().await?;
    for (pool, granted) in pools.iter().zip(&granted) {
        assert_eq!(&tx.appliances_of_pools(&[*pool], false).await?, granted);
    }
    Ok(())
}

async fn the_longest_ready_first(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.sync_templates(&"p1".into(), &[found("t1"), found("t2")]).await?;
    let templates: Vec<TemplateId> =
        tx.templates(&TemplateFilter::default()).await?.iter().map(|template| template.id).collect();
    let pool = world.pool(&mut tx, "r").await?.id;
    let made = world.appliances(&mut tx, 4, ApplianceState::Preparing).await?;
    tx.commit().await?;
    for index in [2, 0, 3, 1] {
        let mut tx = world.write().await?;
        tx.change_appliances(&[made[index].id], &to(ApplianceState::Ready)).await?;
        tx.commit().await?;
    }
    let mut tx = world.write().await?;
    let one: Vec<_> = World::grant(&mut tx, pool, &[world.template.id], 2).await?.iter().map(|a| a.id).collect();
    assert_eq!(one, [made[2].id, made[0].id]);
    let several: Vec<_> = World::grant(&mut tx, pool, &templates, 9).await?.iter().map(|a| a.id).collect();
    assert_eq!(several, [made[3].id, made[1].id]);
    Ok(())
}

async fn only_what_is_ready_and_plain(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r").await?.id;
    world.appliances(&mut tx, 2, ApplianceState::Preparing).await?;
    let (mut memory, mut cpus, mut owned) =
        (world.new_appliance("m"), world.new_appliance("c"), world.new_appliance("o"));
    memory.memory_mib = Some(512);
    cpus.cpus = Some(2);
    owned.pool_id = Some(pool);
    let others = tx.insert_appliances(vec![memory, cpus, owned]).await?;
    let ids: Vec<_> = others.iter().map(|appliance| appliance.id).collect();
    tx.change_appliances(&ids, &to(ApplianceState::Ready)).await?;
    assert!(World::grant(&mut tx, pool, &[world.template.id], 9).await?.is_empty());
    assert!(World::grant(&mut tx, pool, &[], 9).await?.is_empty());
    assert!(World::grant(&mut tx, pool, &[TemplateId(99)], 9).await?.is_empty());
    Ok(())
}
