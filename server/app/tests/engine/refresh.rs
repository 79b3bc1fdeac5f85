//! Refreshes: what listings make of appliances and machines, what they must not make of them, and what becomes of leftovers.

use std::time::Duration;

use sprout_app::{
    WantedRule,
    ports::{MachineFilter, MachinePage, Store as _},
};
use sprout_domain::{
    ApplianceId, PoolId, Reason, Secret,
    appliance::{Appliance, ApplianceState, PowerState},
    machine::{Listed, Machine, MachineKind, Marks, leftover::Planned},
    operation::{Capability, Operation},
    pool::PoolState,
    user::{Role, User},
    workflow::{StepErrorReason, StepKind, StepOutput},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{Worker, World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_leak_goes_after_two_sightings,
    a_clone_under_way_and_one_just_made_are_no_leaks,
    what_was_deleted_while_it_was_listed_is_no_leak,
    a_name_being_given_is_known_under_both,
    one_that_is_missing_twice_is_orphaned_and_comes_back,
    an_orphan_goes_at_last,
    a_warm_one_that_is_off_or_missing_is_not_handed_out_and_replaced,
    an_awaited_one_that_is_missing_is_replaced,
    what_changed_since_the_listing_began_is_left_alone,
    a_listing_that_failed_changes_nothing,
    what_is_lost_gets_a_record_and_is_not_handed_out,
    a_rule_and_the_plan_agree,
    many_leaks_wait_for_someone,
    a_leftover_that_stays_says_why,
    thousands_are_listed_in_few_statements,
);

/// A provider that is listed, with a worker and a superuser.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) worker: Worker,
    pub(crate) boss: User,
}

impl Lab {
    /// A lab in which nothing is waited for.
    pub(crate) async fn new(db: TestDatabase) -> anyhow::Result<Self> {
        let world = World::new(db).await?;
        let mut catalogue = (*world.app.catalogue()).clone();
        (catalogue.leak_grace, catalogue.orphan_grace) = (Duration::ZERO, HOUR);
        world.app.set_catalogue(catalogue).await?;
        let boss = world.app.create_user("boss", Secret::new("correct horse"), Role::Superuser).await?;
        let worker = world.worker("w", &[]).await?;
        Ok(Self { world, worker, boss })
    }

    async fn orphan_grace(&self, grace: Duration) -> anyhow::Result<()> {
        let mut catalogue = (*self.world.app.catalogue()).clone();
        catalogue.orphan_grace = grace;
        Ok(self.world.app.set_catalogue(catalogue).await?)
    }

    /// A pool with one ready appliance.
    pub(crate) async fn ready(&self) -> anyhow::Result<(PoolId, Appliance)> {
        let pool = self.world.request(1, HOUR).await?;
        self.worker.work().await?;
        let view = self.world.pool(pool).await?;
        assert_eq!(view.pool.state, PoolState::Ready);
        Ok((pool, view.appliances[0].clone()))
    }

    /// Has the step to list given out; it began then.
    async fn begin(&self) -> anyhow::Result<sprout_app::Assignment> {
        self.world.app.refresh_providers().await?;
        let mut claimed = self.worker.claim().await?;
        assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [StepKind::ListMachines]);
        Ok(claimed.remove(0))
    }

    pub(crate) async fn list(&self, machines: &[Listed]) -> anyhow::Result<()> {
        let listing = self.begin().await?;
        assert!(self.worker.finish(key(&listing), Ok(StepOutput::Machines(machines.to_vec()))).await?);
        Ok(())
    }

    async fn twice(&self, machines: &[Listed]) -> anyhow::Result<()> {
        self.list(machines).await?;
        self.list(machines).await
    }

    /// What the worker is told to delete now.
    async fn deletions(&self) -> anyhow::Result<Vec<(sprout_app::Assignment, Vec<String>)>> {
        let claimed = self.worker.claim().await?;
        assert!(claimed.iter().all(|a| a.task.step == StepKind::DeleteMachines), "{claimed:?}");
        let names = |a: &sprout_app::Assignment| a.leftovers.iter().map(|machine| machine.name.clone()).collect();
        Ok(claimed.into_iter().map(|a| (a.clone(), names(&a))).collect())
    }

    async fn appliance(&self, id: ApplianceId) -> anyhow::Result<Appliance> {
        Ok(self.world.database.store().read().await?.appliances_by_id(&[id]).await?.remove(0))
    }

    pub(crate) async fn machines(&self) -> anyhow::Result<Vec<Machine>> {
        let mut machines = self.world.database.store().read().await?.machines_on(&"lab".into()).await?;
        machines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(machines)
    }

    pub(crate) async fn kind(&self, name: &str) -> anyhow::Result<Option<MachineKind>> {
        Ok(self.machines().await?.into_iter().find(|machine| machine.name == name).map(|machine| machine.kind))
    }

    async fn note(&self, name: &str) -> anyhow::Result<String> {
        let filter = MachineFilter { provider: "lab".into(), kinds: Vec::new() };
        let page = MachinePage { after: None, limit: 1000 };
        let all = self.world.app.machines(&filter, &page).await?;
        Ok(all.into_iter().find(|view| view.machine.name == name).map(|view| view.note).unwrap_or_default())
    }
}

pub(crate) fn listed(name: &str, power: PowerState, marks: Marks) -> Listed {
    Listed { name: name.to_owned(), power, marks, address: None, published: Vec::new(), console_url: None }
}

/// An appliance as it is.
pub(crate) fn shown(appliance: &Appliance) -> Listed {
    let address = Some("192.0.2.1".to_owned());
    Listed { address, ..listed(&appliance.name, PowerState::On, Marks::Ours(appliance.id)) }
}

async fn a_leak_goes_after_two_sightings(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, dead) = lab.ready().await?;
    let (_, alive) = lab.ready().await?;
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    assert_eq!(lab.appliance(dead.id).await?.state, ApplianceState::Gone);
    // A clone that nobody learnt of came late.
    let there = [shown(&dead), shown(&alive), listed("theirs", PowerState::On, Marks::None)];
    lab.list(&there).await?;
    assert_eq!(lab.kind(&dead.name).await?, Some(MachineKind::Leaked));
    assert!(lab.deletions().await?.is_empty(), "one listing may be wrong");
    lab.list(&there).await?;
    let (step, names) = lab.deletions().await?.remove(0);
    assert_eq!(names, std::slice::from_ref(&dead.name));
    assert!(lab.note(&dead.name).await?.starts_with("deleted now: carries our tag"), "{}", lab.note(&dead.name).await?);
    let done = StepOutput::Deleted(vec![(dead.name.clone(), None)]);
    assert!(lab.worker.finish(key(&step), Ok(done)).await?);
    assert_eq!(lab.kind(&dead.name).await?, None);
    lab.twice(&there[1..]).await?;
    assert!(lab.deletions().await?.is_empty());
    assert_eq!(lab.appliance(alive.id).await?.state, ApplianceState::Ready);
    Ok(())
}

async fn a_clone_under_way_and_one_just_made_are_no_leaks(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let pool = lab.world.request(1, HOUR).await?;
    let clone = lab.worker.claim().await?.remove(0);
    let appliance = clone.appliance.clone().unwrap();
    lab.list(&[listed(&appliance.name, PowerState::Off, Marks::None)]).await?;
    assert_eq!(lab.kind(&appliance.name).await?, Some(MachineKind::Tracked), "not marked yet, but its name is ours");
    lab.list(&[listed(&appliance.name, PowerState::Off, Marks::Ours(appliance.id))]).await?;
    lab.list(&[]).await?;
    lab.list(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Cloning, "its own steps see to it");
    let listing = lab.begin().await?;
    assert!(lab.worker.finish(key(&clone), well(StepKind::Clone)).await?);
    lab.worker.work().await?;
    assert_eq!(lab.world.pool(pool).await?.pool.state, PoolState::Ready);
    // It got ready while the provider was listed, and the listing does not have it yet.
    assert!(lab.worker.finish(key(&listing), Ok(StepOutput::Machines(Vec::new()))).await?);
    let ready = lab.appliance(appliance.id).await?;
    assert_eq!((ready.state, ready.missing_since), (ApplianceState::Ready, None));
    lab.list(&[shown(&appliance)]).await?;
    assert!(lab.deletions().await?.is_empty());
    Ok(())
}

async fn what_was_deleted_while_it_was_listed_is_no_leak(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, dead) = lab.ready().await?;
    lab.list(&[shown(&dead)]).await?;
    let listing = lab.begin().await?;
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    assert!(lab.worker.finish(key(&listing), Ok(StepOutput::Machines(vec![shown(&dead)]))).await?);
    assert_eq!(lab.kind(&dead.name).await?, Some(MachineKind::Tracked));
    lab.list(&[]).await?;
    assert!(lab.machines().await?.is_empty() && lab.deletions().await?.is_empty());
    Ok(())
}

async fn a_name_being_given_is_known_under_both(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, appliance) = lab.ready().await?;
    let mut tx = lab.world.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &[Capability::Rename].into()).await?;
    tx.commit().await?;
    lab.world.app.operate(&lab.world.user, appliance.id, Operation::Rename("db-1".to_owned())).await?;
    let rename = lab.worker.claim().await?.remove(0);
    let named = |name: &str| Listed { name: name.to_owned(), ..shown(&appliance) };
    for name in [appliance.name.as_str(), "db-1"] {
        lab.twice(&[named(name)]).await?;
        assert_eq!(lab.kind(name).await?, Some(MachineKind::Tracked));
    }
    lab.twice(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Ready, "a rename is under way");
    assert!(lab.worker.finish(key(&rename), well(StepKind::Rename)).await?);
    lab.twice(&[named("db-1")]).await?;
    assert_eq!((lab.kind("db-1").await?, lab.deletions().await?.len()), (Some(MachineKind::Tracked), 0));
    // Renamed by someone on the provider: it is missing under its name, and what carries its tag is left alone.
    lab.twice(&[named("elsewhere")]).await?;
    assert_eq!(lab.kind("elsewhere").await?, Some(MachineKind::Stray));
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Orphaned);
    assert!(lab.deletions().await?.is_empty());
    Ok(())
}

async fn one_that_is_missing_twice_is_orphaned_and_comes_back(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, appliance) = lab.ready().await?;
    lab.list(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Ready);
    lab.list(&[shown(&appliance)]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.missing_since, None);
    lab.twice(&[]).await?;
    let orphan = lab.appliance(appliance.id).await?;
    assert_eq!((orphan.state, orphan.power, orphan.address), (ApplianceState::Orphaned, PowerState::Absent, None));
    assert!(orphan.missing_since.is_some() && orphan.status.contains("missing on its provider"), "{}", orphan.status);
    assert_eq!(lab.world.pool(pool).await?.pool.state, PoolState::Ready, "its owner sees it, and keeps the pool");
    lab.twice(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Orphaned, "it is waited for");
    lab.list(&[listed(&appliance.name, PowerState::Off, Marks::Ours(appliance.id))]).await?;
    let back = lab.appliance(appliance.id).await?;
    assert_eq!((back.state, back.power, back.missing_since), (ApplianceState::Off, PowerState::Off, None));
    lab.list(&[shown(&appliance)]).await?;
    let back = lab.appliance(appliance.id).await?;
    assert_eq!((back.state, back.address.as_deref()), (ApplianceState::Ready, Some("192.0.2.1")));
    let moved = Listed { address: Some("192.0.2.9".to_owned()), ..shown(&appliance) };
    lab.list(&[moved]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.address.as_deref(), Some("192.0.2.9"));
    Ok(())
}

async fn an_orphan_goes_at_last(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, appliance) = lab.ready().await?;
    lab.twice(&[]).await?;
    lab.orphan_grace(Duration::ZERO).await?;
    lab.list(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Killing);
    assert_eq!(lab.worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone], "absence is proven");
    assert_eq!(lab.world.pool(pool).await?.pool.state, PoolState::Ended);
    Ok(())
}

async fn a_warm_one_that_is_off_or_missing_is_not_handed_out_and_replaced(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    lab.world.warm(2).await?;
    let mut tx = lab.world.database.store().read().await?;
    let warm = tx.kept(&"lab".into(), None).await?;
    drop(tx);
    let (off, missing) = (&warm[0].known, &warm[1].known);
    let there = [listed(&off.name, PowerState::Off, Marks::Ours(off.id))];
    lab.list(&there).await?;
    assert_eq!(lab.appliance(off.id).await?.state, ApplianceState::Off);
    lab.list(&there).await?;
    assert_eq!(lab.appliance(off.id).await?.state, ApplianceState::Killing);
    assert_eq!(lab.appliance(missing.id).await?.state, ApplianceState::Orphaned);
    let pool = lab.world.request(2, HOUR).await?;
    lab.worker.work().await?;
    let view = lab.world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready);
    assert!(view.appliances.iter().all(|appliance| appliance.id != off.id && appliance.id != missing.id));
    Ok(())
}

async fn an_awaited_one_that_is_missing_is_replaced(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let pool = lab.world.request(2, HOUR).await?;
    // One gets ready, the other is still being cloned.
    let mut claimed = lab.worker.claim().await?;
    let slow = claimed.remove(1);
    assert!(lab.worker.finish(key(&claimed[0]), well(StepKind::Clone)).await?);
    lab.worker.work().await?;
    let first = claimed[0].appliance.clone().unwrap();
    assert_eq!(lab.appliance(first.id).await?.state, ApplianceState::Ready);
    lab.twice(&[]).await?;
    assert_eq!(lab.appliance(first.id).await?.state, ApplianceState::Killing);
    assert!(lab.worker.finish(key(&slow), well(StepKind::Clone)).await?);
    lab.worker.work().await?;
    lab.world.app.place_waiting().await?;
    lab.worker.work().await?;
    let view = lab.world.pool(pool).await?;
    let ready = view.appliances.iter().filter(|appliance| appliance.state == ApplianceState::Ready).count();
    assert_eq!((view.pool.state, ready), (PoolState::Ready, 2));
    Ok(())
}

async fn what_changed_since_the_listing_began_is_left_alone(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, appliance) = lab.ready().await?;
    lab.list(&[]).await?;
    let listing = lab.begin().await?;
    lab.world.app.describe_appliance(&lab.world.user, appliance.id, "mine").await?;
    assert!(lab.worker.finish(key(&listing), Ok(StepOutput::Machines(Vec::new()))).await?);
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Ready);
    lab.list(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Ready, "it was missed once since");
    lab.list(&[]).await?;
    assert_eq!(lab.appliance(appliance.id).await?.state, ApplianceState::Orphaned);
    Ok(())
}

async fn a_listing_that_failed_changes_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, appliance) = lab.ready().await?;
    lab.list(&[shown(&appliance), listed("theirs", PowerState::On, Marks::None)]).await?;
    let before = (lab.machines().await?, lab.appliance(appliance.id).await?);
    for outcome in [badly(StepErrorReason::Unreachable), badly(StepErrorReason::ProviderError), Ok(StepOutput::Empty)] {
        let listing = lab.begin().await?;
        assert!(lab.worker.finish(key(&listing), outcome).await?);
    }
    assert_eq!((lab.machines().await?, lab.appliance(appliance.id).await?), before);
    // A listing that is older than what is known says nothing.
    let old = lab.begin().await?;
    let mut tx = lab.world.database.store().write().await?;
    let now = tx.now();
    tx.set_refreshed(&"lab".into(), now).await?;
    tx.commit().await?;
    assert!(lab.worker.finish(key(&old), Ok(StepOutput::Machines(Vec::new()))).await?);
    assert_eq!(lab.machines().await?, before.0);
    Ok(())
}

async fn what_is_lost_gets_a_record_and_is_not_handed_out(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, known) = lab.ready().await?;
    let lost = ApplianceId(known.id.0 + 5);
    let forged = ApplianceId(i64::MAX);
    let there = [
        shown(&known),
        listed("s_appl_app_1", PowerState::On, Marks::Ours(lost)),
        listed("forged", PowerState::On, Marks::Ours(forged)),
    ];
    lab.list(&there).await?;
    assert_eq!(lab.kind("s_appl_app_1").await?, Some(MachineKind::Lost));
    lab.list(&there).await?;
    let rebuilt = lab.appliance(lost).await?;
    assert_eq!((rebuilt.name.as_str(), rebuilt.pool_id, rebuilt.state), ("s_appl_app_1", None, ApplianceState::Ready));
    assert!(rebuilt.held_until.is_some() && rebuilt.hold_reason.contains("rebuilt from its tag"));
    assert!(lab.note("forged").await?.contains("cannot have been given"), "{}", lab.note("forged").await?);
    lab.list(&there).await?;
    assert_eq!(lab.kind("s_appl_app_1").await?, Some(MachineKind::Tracked));
    assert!(lab.deletions().await?.is_empty(), "nothing of it is deleted");
    // Numbers given from now on are higher, and nobody is given what was rebuilt.
    let (_, next) = lab.ready().await?;
    assert!(next.id > lost, "{} {lost}", next.id);
    lab.world.app.kill_appliance(&lab.boss, lost).await?;
    assert_eq!(lab.worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!(lab.appliance(lost).await?.state, ApplianceState::Gone);
    Ok(())
}

/// Lets an hour pass for all machines.
async fn age(lab: &Lab) -> anyhow::Result<()> {
    let mut machines = lab.machines().await?;
    for machine in &mut machines {
        machine.first_seen_at -= HOUR;
    }
    let mut tx = lab.world.database.store().write().await?;
    tx.put_machines(&"lab".into(), &machines, &[]).await?;
    Ok(tx.commit().await?)
}

async fn a_rule_and_the_plan_agree(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, appliance) = lab.ready().await?;
    let there = [
        shown(&appliance),
        listed("jenkins-1", PowerState::On, Marks::None),
        listed("jenkins-others", PowerState::On, Marks::Others),
        listed("database", PowerState::On, Marks::None),
    ];
    lab.twice(&there).await?;
    age(&lab).await?;
    let app = &lab.world.app;
    let wanted = |pattern: &str| WantedRule { pattern: pattern.to_owned(), min_age: HOUR / 2, provider: None };
    let plan = async |rule: Option<&WantedRule>| -> anyhow::Result<Vec<String>> {
        let planned = app.plan_cleanup(&lab.boss, None, rule).await?;
        Ok(planned.into_iter().filter(Planned::is_due).map(|planned| planned.machine.name).collect())
    };
    assert!(plan(None).await?.is_empty());
    let rule = wanted("^jenkins-|^s_appl");
    let dry = plan(Some(&rule)).await?;
    assert_eq!(dry, ["jenkins-1"], "neither what is tracked nor another installation's");
    assert!(plan(None).await?.is_empty(), "a plan makes no rule");
    let made = app.add_cleanup_rule(&lab.boss, rule).await?;
    assert_eq!(plan(None).await?, dry);
    app.clean_up(false).await?;
    let (step, names) = lab.deletions().await?.remove(0);
    assert_eq!(names, dry);
    assert!(lab.worker.finish(key(&step), Ok(StepOutput::Deleted(vec![("jenkins-1".to_owned(), None)]))).await?);
    app.delete_cleanup_rule(made.id).await?;
    assert_eq!(app.delete_cleanup_rule(made.id).await.unwrap_err().reason, Reason::RuleNotFound);
    let soon = WantedRule { min_age: Duration::from_secs(60), ..wanted("x") };
    assert_eq!(app.add_cleanup_rule(&lab.boss, soon).await.unwrap_err().reason, Reason::InvalidArgument);
    let nowhere = WantedRule { provider: Some("nowhere".into()), ..wanted("x") };
    assert_eq!(app.add_cleanup_rule(&lab.boss, nowhere).await.unwrap_err().reason, Reason::ProviderNotFound);
    Ok(())
}

async fn many_leaks_wait_for_someone(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let pool = lab.world.request(30, HOUR).await?;
    lab.worker.work().await?;
    let there: Vec<_> = lab.world.pool(pool).await?.appliances.iter().map(shown).collect();
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    lab.twice(&there).await?;
    assert!(lab.deletions().await?.is_empty());
    let refused = lab.world.app.clean_up(false).await.unwrap_err();
    assert!(refused.message.contains("30 on lab") && refused.message.contains("job run leaks"), "{refused}");
    assert!(lab.note(&there[0].name).await?.contains("not deleted before someone"));
    lab.world.app.clean_up(true).await?;
    let (_, names) = lab.deletions().await?.remove(0);
    assert_eq!(names.len(), 30);
    Ok(())
}

async fn a_leftover_that_stays_says_why(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, dead) = lab.ready().await?;
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    lab.twice(&[shown(&dead)]).await?;
    let (step, _) = lab.deletions().await?.remove(0);
    let stays = StepOutput::Deleted(vec![(dead.name.clone(), Some("the disk is busy".to_owned()))]);
    assert!(lab.worker.finish(key(&step), Ok(stays)).await?);
    assert!(lab.deletions().await?.is_empty(), "not again at once");
    assert!(lab.note(&dead.name).await?.contains("the disk is busy"));
    lab.list(&[shown(&dead)]).await?;
    let (step, names) = lab.deletions().await?.remove(0);
    assert_eq!(names, std::slice::from_ref(&dead.name), "the next listing shows it again");
    // Nothing is known of how that ended: the next one looks.
    assert!(lab.worker.finish(key(&step), badly(StepErrorReason::Deadline)).await?);
    lab.world.app.clean_up(false).await?;
    assert_eq!(lab.deletions().await?.remove(0).1, [dead.name]);
    Ok(())
}

async fn thousands_are_listed_in_few_statements(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    lab.world.warm(5_000).await?;
    let mut tx = lab.world.database.store().read().await?;
    let warm = tx.kept(&"lab".into(), None).await?;
    drop(tx);
    let there: Vec<_> =
        warm.iter().map(|kept| listed(&kept.known.name, PowerState::On, Marks::Ours(kept.known.id))).collect();
    lab.list(&there).await?;
    assert_eq!(lab.machines().await?.len(), 5_000);
    // However many there are, statements are as many; a query for each would take minutes.
    let began = std::time::Instant::now();
    lab.list(&there).await?;
    let settled = began.elapsed();
    lab.list(&there[1..]).await?;
    lab.list(&there[1..]).await?;
    assert_eq!(lab.appliance(warm[0].known.id).await?.state, ApplianceState::Orphaned);
    assert!(settled < Duration::from_secs(10), "{settled:?}");
    Ok(())
}
