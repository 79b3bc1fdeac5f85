//! Reads and writes at 200 calls/s, beside 50,000 appliances.

use std::time::Duration;

use anyhow::Result;
use prost_types::Duration as Lease;
use sprout_client::{
    Connection,
    proto::pool::{ExtendPoolRequest, GetPoolRequest, ListPoolsRequest},
};
use sprout_e2e::DatabaseKind;

use super::checkout::prepared;
use crate::{
    load,
    report::{Report, Row},
    seed::Seed,
    services::Services,
    usage::Meter,
};

const RATE: f64 = 200.0;
const TIME: Duration = Duration::from_secs(8);
/// Calls without an answer at most: ten seconds' worth.
const MOST: usize = 2000;

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let mut installation = prepared(DatabaseKind::Postgres, services).await?;
    installation.seed(Seed { warm: 0, leased: 50_000 }).await?;
    let clients = installation.connections(8).await?;
    let of = |n: u64| clients[usize::try_from(n).unwrap_or_default() % clients.len()].clone();
    // Spread over all of them.
    let pool = |n: u64| 2 + n * 31 % 50_000;

    for n in 0..200 {
        get(of(n), pool(n)).await?;
        list(of(n)).await?;
        extend(of(n), pool(n)).await?;
    }
    let meter = Meter::start(installation.watched())?;
    let samples = load::open_loop(RATE, TIME, MOST, |n| get(of(n), pool(n))).await?;
    report.add(Row::new("api.get", "GetPool at 200/s").samples(&samples).used(meter.stop()))?;
    let meter = Meter::start(installation.watched())?;
    let samples = load::open_loop(RATE, TIME, MOST, |n| list(of(n))).await?;
    report.add(Row::new("api.list", "ListPools, pages of 100, at 200/s").samples(&samples).used(meter.stop()))?;
    let meter = Meter::start(installation.watched())?;
    let samples = load::open_loop(RATE, TIME, MOST, |n| extend(of(n), pool(n))).await?;
    report.add(Row::new("api.extend", "ExtendPool at 200/s").samples(&samples).used(meter.stop()))?;
    installation.stop().await
}

async fn get(client: Connection, id: u64) -> Result<()> {
    client.pools().get_pool(GetPoolRequest { id }).await?;
    Ok(())
}

async fn list(client: Connection) -> Result<()> {
    client.pools().list_pools(ListPoolsRequest { page_size: 100, ..ListPoolsRequest::default() }).await?;
    Ok(())
}

/// Leases end half a day from now.
pub(super) async fn extend(client: Connection, id: u64) -> Result<()> {
    let lease = Some(Lease { seconds: 12 * 3600, nanos: 0 });
    client.pools().extend_pool(ExtendPoolRequest { id, lease, never_expire: false }).await?;
    Ok(())
}
