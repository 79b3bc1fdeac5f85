//! The database goes away under a running server.

use sprout_proto::{event::WatchRequest, pool::GetPoolRequest};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::support::{Served, assert_refused, soon};

on_each_database!(calls_say_that_the_database_is_away);

async fn calls_say_that_the_database_is_away(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.id;
    let mut client = served.pools("ann").await?;
    let mut events = served.events("stan").await?;
    soon(served.database.store().close()).await?;
    for refused in [
        soon(client.get_pool(GetPoolRequest { id })).await?.map(drop),
        soon(events.watch(WatchRequest::default())).await?.map(drop),
    ] {
        let status = assert_refused(refused, Code::Unavailable, "DATABASE_UNAVAILABLE", "try again");
        let retry = status.get_error_details().retry_info().and_then(|retry| retry.retry_delay);
        assert!(retry.is_some_and(|delay| !delay.is_zero()));
        assert!(!status.message().contains("pool"), "internals were sent: {}", status.message());
    }
    // What needs no database goes on.
    HealthClient::new(served.channel.clone()).check(HealthCheckRequest { service: String::new() }).await?;
    Ok(())
}
