//! Usage of leases: accounted while they run, when they end, and never twice.

use std::time::{Duration, Instant};

use sprout_app::{UsageQuestion, ports::Store as _};
use sprout_domain::{
    Reason, Secret,
    usage::{Account, Dimension, UsageDay},
    user::{Role, User},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{PATIENCE, World};

on_each_database!(
    a_lease_is_accounted_while_it_runs_and_when_it_ends_and_never_twice,
    what_is_given_away_is_its_new_owners_from_then_on,
    users_see_their_own_and_staff_all,
    what_was_never_leased_costs_nothing,
);

const HOUR: Duration = Duration::from_secs(3600);

async fn seconds(world: &World, caller: &User) -> anyhow::Result<u64> {
    Ok(world.app.usage(caller, UsageQuestion::default(), &[]).await?[0].1)
}

async fn a_lease_is_accounted_while_it_runs_and_when_it_ends_and_never_twice(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(2).await?;
    let begun = Instant::now();
    let pool = world.request(2, HOUR).await?;
    while seconds(&world, &world.user).await? < 2 {
        assert!(begun.elapsed() < PATIENCE, "time does not count");
    }
    for _ in 0..3 {
        assert_eq!(world.app.account_leases(Duration::ZERO, 1).await?, 1);
        assert_eq!(world.app.account_leases(Duration::ZERO, 10).await?, 2);
        assert_eq!(world.app.account_leases(HOUR, 10).await?, 0, "what was accounted just now waits");
    }
    world.app.kill_pool(&world.user, pool).await?;
    let longest = (begun.elapsed().as_secs() + 1) * 2;
    let whole = seconds(&world, &world.user).await?;
    assert!((2..=longest).contains(&whole), "{whole} of {longest}");
    assert_eq!(world.app.account_leases(Duration::ZERO, 10).await?, 0);
    world.app.kill_pool(&world.user, pool).await?;
    let later = begun.elapsed();
    while begun.elapsed() < later + Duration::from_millis(1100) {
        assert_eq!(seconds(&world, &world.user).await?, whole, "what has ended costs nothing any more");
    }
    Ok(())
}

async fn what_is_given_away_is_its_new_owners_from_then_on(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(1).await?;
    // Who sees everything can be given anything.
    let stan = world.app.create_user("stan", Secret::new("correct horse"), Role::Staff).await?;
    let of = |name: &str| UsageQuestion { user: Some(name.to_owned()), ..UsageQuestion::default() };
    let used = async |name: &str| anyhow::Ok(world.app.usage(&stan, of(name), &[]).await?[0].1);
    let begun = Instant::now();
    let pool = world.request(1, HOUR).await?;
    while used("ann").await? < 1 {
        assert!(begun.elapsed() < PATIENCE, "time does not count");
    }
    world.app.transfer_pool(&world.user, pool, "stan").await?;
    let before = used("ann").await?;
    while used("stan").await? < 1 {
        assert!(begun.elapsed() < PATIENCE, "time does not count for the new owner");
    }
    assert_eq!(used("ann").await?, before);
    Ok(())
}

async fn users_see_their_own_and_staff_all(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let stan = world.app.create_user("stan", Secret::new("correct horse"), Role::Staff).await?;
    let mut tx = world.database.store().write().await?;
    let today = tx.now().date_naive();
    let yesterday = today.pred_opt().unwrap_or_default();
    let of = |user: &str, user_group: &str| Account {
        user: user.to_owned(),
        user_group: user_group.to_owned(),
        group: "app".to_owned(),
        provider: "lab".to_owned(),
    };
    let day = |day, of, seconds| UsageDay { day, of, seconds };
    tx.account(
        &[day(yesterday, of("ann", "qe"), 100), day(today, of("ann", "qe"), 20), day(today, of("ben", ""), 3)],
        &[],
    )
    .await?;
    tx.account(&[day(today, of("ann", "qe"), 1000)], &[]).await?;
    tx.commit().await?;
    assert_eq!((seconds(&world, &world.user).await?, seconds(&world, &stan).await?), (1120, 1123));
    let rows = async |caller: &User, question: UsageQuestion| {
        world.app.usage(caller, question, &[Dimension::User, Dimension::Day]).await
    };
    let row = |user: &str, day: chrono::NaiveDate, seconds| (vec![user.to_owned(), day.to_string()], seconds);
    let all = rows(&stan, UsageQuestion::default()).await?;
    assert_eq!(all, [row("ann", yesterday, 100), row("ann", today, 1020), row("ben", today, 3)]);
    let of_day = |day| UsageQuestion { from: Some(day), to: Some(day), ..UsageQuestion::default() };
    assert_eq!(rows(&stan, of_day(yesterday)).await?, [row("ann", yesterday, 100)]);
    let of_user = |user: &str| UsageQuestion { user: Some(user.to_owned()), ..UsageQuestion::default() };
    assert_eq!(rows(&stan, of_user("ben")).await?, [row("ben", today, 3)]);
    assert_eq!(rows(&world.user, of_user("ann")).await?.len(), 2);
    let refused = rows(&world.user, of_user("ben")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NotAllowed);
    let backwards = UsageQuestion { from: Some(today), to: Some(yesterday), ..UsageQuestion::default() };
    assert_eq!(rows(&stan, backwards).await.unwrap_err().reason, Reason::InvalidArgument);
    let of_group = UsageQuestion { user_group: Some("qe".to_owned()), ..UsageQuestion::default() };
    let by_group =
        world.app.usage(&stan, of_group, &[Dimension::UserGroup, Dimension::Provider, Dimension::Group]).await?;
    assert_eq!(by_group, [(vec!["qe".to_owned(), "lab".to_owned(), "app".to_owned()], 1120)]);
    Ok(())
}

async fn what_was_never_leased_costs_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(1).await?;
    let pool = world.request(3, HOUR).await?;
    assert_eq!(world.app.account_leases(Duration::ZERO, 10).await?, 0, "it is not fulfilled");
    world.app.kill_pool(&world.user, pool).await?;
    assert_eq!(seconds(&world, &world.user).await?, 0);
    Ok(())
}
