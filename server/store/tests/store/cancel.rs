//! Calls whose client left in the middle: what they had begun must not be anyone else's.

use std::time::Duration;

use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::timeout;

use crate::world::World;

on_each_database!(a_begin_that_was_given_up_leaves_nothing_open);

async fn a_begin_that_was_given_up_leaves_nothing_open(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    for n in 0..200 {
        // At each place at which it can be left: between any two of its messages.
        let given_up = timeout(Duration::from_micros(n * 5), world.read()).await;
        drop(given_up);
    }
    // In a transaction that was left open, which only reads, none of these could be written.
    for n in 0..20 {
        let mut tx = world.write().await?;
        world.pool(&mut tx, &format!("r{n}")).await?;
        tx.commit().await?;
        let mut tx = world.read().await?;
        assert_eq!(tx.pools_by_request(&[(world.user.id, format!("r{n}"))]).await?.len(), 1, "what it sees is old");
    }
    Ok(())
}
