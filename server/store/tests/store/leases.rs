//! Leases: moments compare right whatever their fraction, and what expired comes in order.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sprout_app::ports::Hold;
use sprout_domain::{
    Timestamp,
    appliance::ApplianceState,
    lease::{self, LeaseEnd},
};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::world::{World, to};

on_each_database!(
    moments_compare_whatever_their_fraction,
    what_expired_comes_in_order,
    a_pool_lease_is_for_those_that_count,
    moments_on_sqlite_have_one_width,
    what_is_due_is_found_at_once_among_fifty_thousand,
);

/// An end nobody is reminded of.
fn until(until: Timestamp) -> LeaseEnd {
    LeaseEnd { until: Some(until), remind_at: None }
}

async fn moments_compare_whatever_their_fraction(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let moments = [
        "0001-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.000001Z",
        "2020-01-01T00:00:00.001Z",
        "2020-01-01T00:00:00.1Z",
        "2020-01-01T00:00:00.100001Z",
        "2020-01-01T00:00:00.999Z",
        "2020-01-01T00:00:01Z",
        "2020-01-01T00:00:10Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let moments: Vec<Timestamp> = moments.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, u32::try_from(moments.len())?, ApplianceState::Ready).await?;
    // Set in another order than they are read.
    for (appliance, moment) in made.iter().zip(&moments).rev() {
        tx.set_lease(appliance.id, until(*moment)).await?;
    }
    for (appliance, moment) in made.iter().zip(&moments) {
        assert_eq!(tx.next_lease_due().await?, Some(*moment));
        tx.change_appliances(&[appliance.id], &to(ApplianceState::Killing)).await?;
    }
    assert_eq!(tx.next_lease_due().await?, None);

    // What no calendar has becomes what both databases have.
    tx.change_appliances(&[made[0].id], &to(ApplianceState::Ready)).await?;
    tx.set_lease(made[0].id, until(Timestamp::MAX_UTC)).await?;
    assert_eq!(tx.next_lease_due().await?, moments.last().copied());
    tx.set_lease(made[0].id, until(Timestamp::MIN_UTC)).await?;
    assert_eq!(tx.next_lease_due().await?, moments.first().copied());
    Ok(())
}

async fn what_expired_comes_in_order(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 8, ApplianceState::Ready).await?;
    let now = tx.now();
    let ago = |micros| lease::begin(now, Duration::from_micros(micros));
    tx.set_lease(made[0].id, until(ago(1))).await?;
    tx.set_lease(made[1].id, until(ago(1_000_000))).await?;
    tx.set_lease(made[2].id, until(now)).await?;
    tx.set_lease(made[3].id, until(lease::end(now, Duration::from_micros(1)))).await?;
    for (appliance, state) in
        made[4..].iter().zip([ApplianceState::Killing, ApplianceState::Failed, ApplianceState::Gone])
    {
        tx.set_lease(appliance.id, until(ago(5))).await?;
        tx.change_appliances(&[appliance.id], &to(state)).await?;
    }
    assert_eq!(tx.expired(9).await?, [made[1].id, made[0].id, made[2].id]);
    assert_eq!(tx.expired(1).await?, [made[1].id]);
    assert_eq!(tx.next_lease_due().await?, Some(ago(1_000_000)));
    Ok(())
}

async fn a_pool_lease_is_for_those_that_count(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let pool = world.pool(&mut tx, "r").await?.id;
    world.appliances(&mut tx, 3, ApplianceState::Ready).await?;
    let granted = World::grant(&mut tx, pool, &[world.template.id], 2).await?;
    tx.change_appliances(&[granted[1].id], &to(ApplianceState::Failed)).await?;
    tx.commit().await?;

    let mut tx = world.write().await?;
    let (now, until) = (tx.now(), lease::end(tx.now(), Duration::from_secs(60)));
    tx.set_pool_lease(pool, true, self::until(until)).await?;
    let later = lease::end(until, Duration::from_secs(60));
    tx.commit().await?;
    let mut tx = world.write().await?;
    tx.set_pool_lease(pool, false, self::until(later)).await?;
    let all = tx.appliances_of_pools(&[pool], true).await?;
    assert_eq!((all[0].leased_at, all[0].leased_until), (Some(now), Some(later)));
    assert_eq!((all[1].leased_at, all[1].leased_until), (None, None));
    assert_eq!(tx.next_lease_due().await?, Some(later));
    Ok(())
}

async fn moments_on_sqlite_have_one_width(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 1, ApplianceState::Ready).await?;
    tx.set_lease(made[0].id, until("2020-01-01T00:00:00Z".parse()?)).await?;
    tx.commit().await?;
    if world.db.kind() == Kind::Sqlite {
        let file = Database::connect(world.db.url()).await?;
        let sql = "select leased_until from appliances where length(created_at) = 32";
        let row = file.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?.unwrap();
        assert_eq!(row.try_get::<String>("", "leased_until")?, "2020-01-01T00:00:00.000000+00:00");
    }
    Ok(())
}

/// What is due next, as the store asks for it, and the index that answers.
const QUESTIONS: [(&str, &str, &str); 3] = [
    (
        "leased_until is not null and held_until is null and state not in ('killing', 'failed', 'gone')",
        "leased_until",
        "appliances_leased",
    ),
    ("held_until is not null and state <> 'gone'", "held_until", "appliances_held"),
    ("remind_at is not null and state not in ('killing', 'failed', 'gone')", "remind_at", "appliances_to_remind"),
];

async fn what_is_due_is_found_at_once_among_fifty_thousand(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 3, ApplianceState::Ready).await?;
    let (now, hour) = (tx.now(), Duration::from_secs(3600));
    let later = LeaseEnd { until: Some(lease::end(now, hour)), remind_at: Some(lease::end(now, hour / 2)) };
    tx.set_lease(made[0].id, later).await?;
    tx.set_lease(made[1].id, until(lease::begin(now, hour))).await?;
    // Over as well, but held.
    tx.set_lease(made[2].id, until(lease::begin(now, hour))).await?;
    tx.set_hold(&[made[2].id], Some(&Hold { until: lease::end(now, hour), reason: "r".to_owned() })).await?;
    tx.commit().await?;
    let raw = Database::connect(world.db.url()).await?;
    let same = "state, power, provider, group_name, template_id, template, version, build_date, clone_unconfirmed, status, \
                status_changed_at, created_at, leased_until, remind_at";
    raw.execute_unprepared(&format!(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 50000)
         insert into appliances (name, {same}) select 'many-' || i, {same} from n, appliances where name = 'a0'"
    ))
    .await?;
    // On PostgreSQL an index alone answers for pages that were vacuumed.
    raw.execute_unprepared(if world.db.kind() == Kind::Postgres { "vacuum analyze appliances" } else { "analyze" })
        .await?;
    let mut tx = world.write().await?;
    let begun = Instant::now();
    assert_eq!(tx.next_lease_due().await?, Some(lease::begin(now, hour)));
    assert_eq!((tx.expired(200).await?, tx.holds_over(200).await?), (vec![made[1].id], vec![]));
    assert!(tx.take_reminders(200).await?.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // They are counted by state along an index, too.
    assert_eq!(tx.count_levels().await?.appliances[&ApplianceState::Ready], 50_003);
    drop(tx);
    let (explain, column) = match world.db.kind() {
        Kind::Sqlite => ("explain query plan", "detail"),
        Kind::Postgres => ("explain", "QUERY PLAN"),
    };
    let by_state = "select provider, state, count(*) from appliances where state <> 'gone' group by provider, state";
    let asked = QUESTIONS.map(|(condition, by, index)| {
        (format!("select {by} from appliances where {condition} order by {by} limit 1"), by, index)
    });
    for (sql, by, index) in asked.into_iter().chain([(by_state.to_owned(), "state", "appliances_there")]) {
        let sql = format!("{explain} {sql}");
        let plan = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), sql)).await?;
        let plan: Vec<String> = plan.iter().map(|row| row.try_get("", column)).collect::<Result<_, _>>()?;
        assert!(plan.iter().any(|line| line.contains(index)), "{by} is not found by {index}: {plan:?}");
    }
    Ok(())
}
