//! Room on providers: counted from its changes, exact whatever becomes of appliances, and kept when clones are given out.

use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, Database};
use sprout_app::ports::{Claim, NewAppliance, Tx};
use sprout_domain::{
    ProviderKey, Result,
    appliance::{Appliance, ApplianceState},
    dispatch::Server,
    provider::ProviderSpec,
    room::Room,
    worker::Slots,
    workflow::{Subject, WorkflowKind},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::{
    workers::connect,
    world::{World, keys, provider, to, workflow},
};

on_each_database!(
    room_is_exact_in_every_state,
    an_override_counts_in_place_of_what_is_usual,
    many_changes_become_their_sum,
    memory_and_cpus_bound_first_clones,
    capacity_holds_however_many_ask,
);

async fn room(tx: &mut Box<dyn Tx>) -> Result<Room> {
    Ok(tx.room(&keys(&["p1"])).await?[&ProviderKey::from("p1")])
}

fn sized(memory_limit_mib: Option<u64>, cpu_limit: Option<u64>, slots: u32) -> ProviderSpec {
    ProviderSpec { memory_limit_mib, cpu_limit, ..provider("p1", slots, None) }
}

/// Appliances that take this, each with a deployment.
async fn wanted(world: &World, tx: &mut Box<dyn Tx>, sizes: &[(u32, u32)]) -> Result<Vec<Appliance>> {
    let new = |(n, (memory, cpus)): (usize, &(u32, u32))| NewAppliance {
        memory_mib: Some(*memory),
        cpus: Some(*cpus),
        ..world.new_appliance(&format!("s{n}"))
    };
    let made = tx.insert_appliances(sizes.iter().enumerate().map(new).collect()).await?;
    tx.insert_workflows(made.iter().map(|appliance| workflow(WorkflowKind::Deploy, appliance)).collect()).await?;
    Ok(made)
}

async fn given(tx: &mut Box<dyn Tx>) -> Result<Vec<sprout_domain::ApplianceId>> {
    let room = Slots { shared: 100, ..Slots::default() };
    let server = Server { id: "w".into(), providers: keys(&["p1"]).into_iter().collect(), room };
    let tasks = tx.claim_tasks(&Claim { servers: vec![server], limit: 100 }).await?.tasks;
    let mut ids = Vec::new();
    for task in tasks {
        if let Subject::Appliance(id) = task.subject {
            ids.push(id);
        }
    }
    tx.change_appliances(&ids, &to(ApplianceState::Cloning)).await?;
    Ok(ids)
}

async fn room_is_exact_in_every_state(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = wanted(&world, &mut tx, &[(100, 1), (200, 2)]).await?;
    for state in ApplianceState::ALL {
        tx.change_appliances(&[made[0].id], &to(state)).await?;
        let there = u64::from(state != ApplianceState::Gone);
        let room = room(&mut tx).await?;
        assert_eq!(u64::from(room.appliance_count), 1 + there, "{state}");
        assert_eq!((room.memory.used, room.cpus.used), (200 + 100 * there, 2 + there), "{state}");
        let on_its_way = state == ApplianceState::Requested || ApplianceState::PROVISIONING.contains(&state);
        assert_eq!(room.provisioning_count, 1 + u32::from(on_its_way), "{state}");
    }
    tx.change_appliances(&made.iter().map(|a| a.id).collect::<Vec<_>>(), &to(ApplianceState::Gone)).await?;
    let room = room(&mut tx).await?;
    assert_eq!((room.appliance_count, room.memory.used, room.cpus.used), (0, 0, 0));
    assert_eq!(tx.providers().await?[0].memory.used, 0);
    Ok(())
}

async fn an_override_counts_in_place_of_what_is_usual(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let mut spec = sized(Some(4096), None, 5);
    if let sprout_domain::provider::ProviderSettings::Container { memory_mib, cpus, .. } = &mut spec.settings {
        (*memory_mib, *cpus) = (1024, 2);
    }
    tx.sync_providers(&[spec]).await?;
    let mut asked = world.new_appliance("asked");
    asked.memory_mib = Some(512);
    tx.insert_appliances(vec![asked, world.new_appliance("usual")]).await?;
    let room = room(&mut tx).await?;
    assert_eq!((room.memory.used, room.memory.limit, room.cpus.used), (1536, Some(4096), 4));
    Ok(())
}

async fn many_changes_become_their_sum(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[sized(None, None, 1)]).await?;
    wanted(&world, &mut tx, &[(3, 1); 300]).await?;
    let before = room(&mut tx).await?;
    assert_eq!(given(&mut tx).await?.len(), 1);
    tx.commit().await?;
    let file = Database::connect(world.db.url()).await?;
    let left = file.execute_unprepared("update room_changes set cpus = cpus").await?.rows_affected();
    assert_eq!(left, 4, "two sums, and what was begun since");
    let mut tx = world.write().await?;
    assert_eq!(room(&mut tx).await?, before, "what is requested counts as what is being cloned");
    Ok(())
}

async fn memory_and_cpus_bound_first_clones(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[sized(Some(1000), Some(8), 20)]).await?;
    let made = wanted(&world, &mut tx, &[(600, 1), (600, 1), (400, 6), (1, 2), (0, 1)]).await?;
    assert_eq!(given(&mut tx).await?, [made[0].id, made[2].id, made[4].id]);
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Gone)).await?;
    assert_eq!(given(&mut tx).await?, [made[1].id]);
    Ok(())
}

async fn capacity_holds_however_many_ask(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    connect(&mut tx, "w", "s").await?;
    tx.sync_providers(&[sized(Some(1000), None, 50)]).await?;
    wanted(&world, &mut tx, &[(300, 1); 12]).await?;
    tx.commit().await?;
    let asked = join_all((0..6).map(|_| async {
        let mut tx = world.write().await?;
        let ids = given(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, sprout_domain::Error>(ids.len())
    }));
    let asked: Vec<usize> = asked.await.into_iter().collect::<Result<_>>()?;
    assert_eq!(asked.iter().sum::<usize>(), 3);
    Ok(())
}
