//! Requests that arrive together: what is warm is dealt out in their order, the rest is deployed, and each has its own answer.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sprout_domain::{
    Reason,
    pool::{PoolRequest, PoolState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    two_hundred_want_fifty,
    each_of_a_batch_has_its_own_answer,
    the_same_request_twice_at_once_is_one_pool,
);

async fn two_hundred_want_fifty(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(50).await?;
    world.worker("w", &[]).await?;
    let requests = (0..200).map(|n| world_request(&world, n));
    let views: Vec<_> = join_all(requests).await.into_iter().collect::<Result<_, _>>()?;
    let ready: Vec<_> = views.iter().filter(|view| view.pool.state == PoolState::Ready).collect();
    let granted: BTreeSet<_> = ready.iter().flat_map(|view| view.appliances.iter().map(|a| a.id)).collect();
    assert_eq!((ready.len(), granted.len()), (50, 50));
    assert!(ready.iter().all(|view| view.leased_until().is_some() && view.pool.fulfilled_at.is_some()));
    for view in &views {
        let there = world.pool(view.pool.id).await?;
        // Only who looks is told the place in line.
        let pool = sprout_domain::pool::Pool { status: view.pool.status.clone(), ..there.pool.clone() };
        let there = sprout_app::PoolView { pool, place: None, ..there };
        assert_eq!(there, *view, "what was answered is what is there");
    }
    Ok(())
}

async fn each_of_a_batch_has_its_own_answer(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.warm(3).await?;
    let unknown = PoolRequest { group: "other".into(), ..wanted("unknown", 1) };
    let long = PoolRequest { lease: Some(HOUR * 10_000), ..wanted("long", 1) };
    let large = PoolRequest { memory_mib: Some(64), ..wanted("large", 1) };
    let old = PoolRequest { version: Some(sprout_domain::version::Version::new("0.9")), ..wanted("old", 1) };
    let all = [wanted("two", 2), unknown, long, large, old, wanted("none", 0), wanted("three", 3)];
    let user = sprout_domain::user::User { can_override_hardware: true, ..world.user.clone() };
    let answers = join_all(all.into_iter().map(|request| world.app.request_pool(&user, request))).await;
    let told: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(answer) => (answer.view.pool.state.as_str(), answer.view.ready_count()),
            Err(error) => (error.reason.as_str(), 0),
        })
        .collect();
    assert_eq!(
        told,
        [
            ("ready", 2),
            (Reason::GroupNotFound.as_str(), 0),
            (Reason::LeaseTooLong.as_str(), 0),
            ("waiting", 0),
            (Reason::NoTemplate.as_str(), 0),
            ("ended", 0),
            ("provisioning", 1),
        ]
    );
    Ok(())
}

async fn the_same_request_twice_at_once_is_one_pool(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let answers = join_all((0..8).map(|_| world.app.request_pool(&world.user, wanted("r", 1)))).await;
    let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;
    assert_eq!(answers.iter().map(|answer| answer.view.pool.id).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    let other = world.app.request_pool(&world.user, wanted("r", 2)).await;
    assert_eq!(other.unwrap_err().reason, Reason::RequestIdReused);
    Ok(())
}

async fn world_request(world: &World, n: u32) -> sprout_domain::Result<sprout_app::PoolView> {
    Ok(world.app.request_pool(&world.user, wanted(&format!("r{n}"), 1)).await?.view)
}

fn wanted(id: &str, count: u32) -> PoolRequest {
    PoolRequest { lease: Some(HOUR), ..PoolRequest::new(id.to_owned(), "app", count) }
}
