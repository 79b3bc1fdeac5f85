//! Leaving: health says so, and streams end with a status that makes clients reconnect.

use sprout_proto::{
    event::WatchRequest,
    pool::{GetPoolRequest, WatchPoolRequest},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::support::{Served, assert_refused, soon};

on_each_database!(a_drain_ends_streams_and_nothing_else);

async fn a_drain_ends_streams_and_nothing_else(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.id;
    let mut client = served.pools("ann").await?;
    let mut pool = client.watch_pool(WatchPoolRequest { id }).await?.into_inner();
    let mut events = served.events("stan").await?.watch(WatchRequest::default()).await?.into_inner();
    assert!(soon(pool.message()).await??.is_some() && soon(events.message()).await??.is_some());
    let mut health = HealthClient::new(served.channel.clone());
    for service in ["", "sprout.pool.v1.PoolService", "sprout.worker.v1.WorkerService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(request).await?.into_inner().status(), ServingStatus::Serving, "{service:?}");
    }
    served.drain.begin().await;
    for ended in [soon(pool.message()).await?.map(drop), soon(events.message()).await?.map(drop)] {
        let status = assert_refused(ended, Code::Unavailable, "SERVER_DRAINING", "reconnect");
        assert!(status.get_error_details().retry_info().is_some());
    }
    let request = HealthCheckRequest { service: String::new() };
    assert_eq!(health.check(request).await?.into_inner().status(), ServingStatus::NotServing);
    client.get_pool(GetPoolRequest { id }).await?;
    Ok(())
}
