//! Warm appliances: granted once each, the longest ready first.

use std::collections::BTreeSet;

use futures::future::join_all;
use sprout_app::ports::{NewAppliance, TakeWarm, TemplateFilter, Tx, Warm};
use sprout_domain::{Result, TemplateId, Timestamp, UserGroupId, appliance::ApplianceState};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::world::{World, found, to};

on_each_database!(
    twenty_want_ten,
    the_longest_ready_first,
    only_what_is_ready_and_plain,
    own_stock_first_then_everyones_then_that_of_others,
    what_is_locked_is_passed,
);

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

/// Takes so many for members of these groups, of what proved ready since then; returns names, with a mark where a new proof is needed.
async fn take(
    tx: &mut Box<dyn Tx>,
    world: &World,
    user_groups: &[UserGroupId],
    count: u64,
    proven_since: Timestamp,
) -> Result<Vec<String>> {
    let templates = vec![world.template.id];
    let take = TakeWarm { templates, user_groups: user_groups.to_vec(), count, behind: false, proven_since };
    let warm = tx.take_warm(&take).await?;
    let ids: Vec<_> = warm.iter().map(|warm| warm.id).collect();
    let found = tx.appliances_by_id(&ids).await?;
    let told = |warm: &Warm| {
        let appliance = found.iter().find(|appliance| appliance.id == warm.id);
        format!("{}{}", appliance.map(|a| a.name.clone()).unwrap_or_default(), if warm.proven { "" } else { "?" })
    };
    Ok(warm.iter().map(told).collect())
}

async fn own_stock_first_then_everyones_then_that_of_others(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let (mine, theirs) = (tx.insert_user_group("mine").await?, tx.insert_user_group("theirs").await?);
    tx.commit().await?;
    let mut between = Timestamp::UNIX_EPOCH;
    for age in ["stale", "fresh"] {
        for (name, flock) in [("theirs", Some(theirs)), ("everyones", None), ("mine", Some(mine))] {
            let mut tx = world.write().await?;
            let new = NewAppliance { user_group_id: flock, ..world.new_appliance(&format!("{name}-{age}")) };
            let made = tx.insert_appliances(vec![new]).await?;
            tx.change_appliances(&[made[0].id], &to(ApplianceState::Ready)).await?;
            between = if age == "stale" { tx.now() } else { between };
            tx.commit().await?;
        }
    }
    let mut tx = world.write().await?;
    let all = ["mine-fresh", "everyones-fresh", "mine-stale?", "everyones-stale?", "theirs-fresh", "theirs-stale?"];
    for count in [1, 2, 3, 6] {
        let taken = take(&mut tx, &world, &[mine], count, between).await?;
        assert_eq!(taken, all[..usize::try_from(count)?]);
    }
    assert_eq!(take(&mut tx, &world, &[mine], 9, between).await?, all);
    assert_eq!(take(&mut tx, &world, &[], 2, between).await?, ["everyones-fresh", "everyones-stale?"]);
    let first = take(&mut tx, &world, &[], 9, Timestamp::UNIX_EPOCH).await?;
    assert_eq!(first[..3], ["everyones-stale", "everyones-fresh", "theirs-stale"]);
    Ok(())
}

async fn what_is_locked_is_passed(db: TestDatabase) -> anyhow::Result<()> {
    if db.kind() == Kind::Sqlite {
        return Ok(()); // where nobody else writes meanwhile
    }
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let group = tx.insert_user_group("mine").await?;
    world.appliances(&mut tx, 5, ApplianceState::Ready).await?;
    tx.commit().await?;
    let (mut one, mut other) = (world.write().await?, world.write().await?);
    let since = Timestamp::UNIX_EPOCH;
    assert_eq!(take(&mut one, &world, &[group], 2, since).await?, ["a0", "a1"]);
    assert_eq!(take(&mut other, &world, &[group], 2, since).await?, ["a2", "a3"]);
    assert_eq!(take(&mut other, &world, &[], 9, since).await?, ["a2", "a3", "a4"]);
    Ok(())
}
