//! A warm checkout: `RequestPool` for one appliance that is ready and nobody's. Its answer is durable.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{Connection, proto::pool::PoolState};
use sprout_e2e::DatabaseKind;

use crate::{
    installation::Installation,
    load,
    report::{Report, Row},
    samples::Samples,
    seed::{Seed, request},
    services::Services,
    usage::Meter,
};

/// Checkouts before measuring begins, after each start of the server.
const WARM_UP: u32 = 200;
/// Clients with a connection of their own.
const CLIENTS: usize = 16;
/// The promise for busy times: p99 at most.
const BUSY_P99_MS: f64 = 50.0;

/// One at a time on both databases, and open-loop at 200/s.
pub(crate) async fn checkout(services: &Services, report: &mut Report) -> Result<()> {
    for (kind, key, what) in [
        (DatabaseKind::Postgres, "checkout.unloaded", "warm checkout, one at a time, PostgreSQL"),
        (DatabaseKind::Sqlite, "checkout.sqlite", "warm checkout, one at a time, SQLite"),
    ] {
        let mut installation = prepared(kind, services).await?;
        installation.seed(Seed { warm: 1000 + WARM_UP, leased: 0 }).await?;
        let meter = Meter::start(installation.watched())?;
        let samples = one_by_one(&installation, 1000).await?;
        let row = Row::new(key, what).samples(&samples).used(meter.stop());
        let floor = report.value("floor.1/mean").filter(|_| kind == DatabaseKind::Postgres);
        report.add(match floor {
            Some(commit) => row.figure("p50 to one bare commit", samples.at_ms(0.5) / commit, "×"),
            None => row,
        })?;
        if kind == DatabaseKind::Postgres {
            let (row, _) = at_rate(&mut installation, "checkout.200", 200, Duration::from_secs(10)).await?;
            report.add(row)?;
        }
        installation.stop().await?;
    }
    Ok(())
}

/// 3,600 at one moment.
pub(crate) async fn burst(services: &Services, report: &mut Report) -> Result<()> {
    let mut installation = prepared(DatabaseKind::Postgres, services).await?;
    installation.seed(Seed { warm: 3600 + WARM_UP, leased: 0 }).await?;
    let clients = warmed_up(&installation).await?;
    let meter = Meter::start(installation.watched())?;
    let (samples, refused) = load::burst(3600, |n| one_of(&clients, n)).await?;
    let row = Row::new("burst", "3,600 checkouts at one moment").samples(&samples);
    #[allow(clippy::cast_precision_loss)] // at most 3,600
    let refused = refused.len() as f64;
    report.add(row.figure("refused", refused, "calls").used(meter.stop()))?;
    installation.stop().await
}

/// The most there can be, the highest rate that keeps the promise, and 2,000/s.
pub(crate) async fn sustained(services: &Services, report: &mut Report) -> Result<()> {
    let mut installation = prepared(DatabaseKind::Postgres, services).await?;
    installation.seed(Seed { warm: 60_000, leased: 0 }).await?;
    let clients = warmed_up(&installation).await?;
    let meter = Meter::start(installation.watched())?;
    let most = load::saturate(256, Duration::from_secs(4), move |n| one_of(&clients, n)).await?;
    let row = Row::new("checkout.saturated", "checkouts, 256 clients that never pause").figure("rate", most, "/s");
    let floor = report.value("floor.32/rate");
    let row = if let Some(commits) = floor { row.figure("share of bare commits", most / commits, "") } else { row };
    report.add(row.used(meter.stop()))?;

    for share in [95_u32, 85, 75, 65, 55, 45, 35] {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // thousands per second
        let rate = (most * f64::from(share) / 100.0) as u32;
        match at_rate(&mut installation, "checkout.sustained", rate, Duration::from_secs(5)).await {
            Ok((row, p99)) if p99 <= BUSY_P99_MS => {
                let row = row.figure("rate", f64::from(rate), "/s");
                report.add(row.note(format!("the highest rate tried with p99 ≤ {BUSY_P99_MS} ms")))?;
                break;
            }
            Ok((_, p99)) => println!("| | | at {rate}/s p99 is {p99:.0} ms | | | | |"),
            Err(error) => println!("| | | {rate}/s is too much: {error} | | | | |"),
        }
    }
    match at_rate(&mut installation, "checkout.2000", 2000, Duration::from_secs(5)).await {
        Ok((row, _)) => report.add(row)?,
        Err(error) => {
            report.add(Row::new("checkout.2000", "checkouts at 2000/s").note(format!("not kept up: {error}")))?;
        }
    }
    installation.stop().await
}

/// An installation with one appliance, deployed by the engine.
pub(super) async fn prepared(kind: DatabaseKind, services: &Services) -> Result<Installation> {
    let installation = Installation::start(kind, services).await?;
    installation.deploy_one().await?;
    Ok(installation)
}

/// One client, one call after the other, after some that do not count.
pub(super) async fn one_by_one(installation: &Installation, count: u32) -> Result<Samples> {
    let client = installation.connect().await?;
    let samples = Samples::new()?;
    for n in 0..count + WARM_UP {
        let began = Instant::now();
        take_one(client.clone()).await?;
        if n >= WARM_UP {
            samples.add(began.elapsed());
        }
    }
    Ok(samples)
}

/// Open-loop at a rate, on as many warm appliances as that takes. Returns p99 in milliseconds, too.
async fn at_rate(installation: &mut Installation, key: &'static str, rate: u32, time: Duration) -> Result<(Row, f64)> {
    let warm = rate * u32::try_from(time.as_secs())? + WARM_UP + 1;
    installation.seed(Seed { warm, leased: 0 }).await?;
    let clients = warmed_up(installation).await?;
    let meter = Meter::start(installation.watched())?;
    // Half a second behind is lost.
    let most = usize::try_from(rate)?.max(200) / 2;
    let samples = load::open_loop(f64::from(rate), time, most, |n| one_of(&clients, n)).await?;
    let row = Row::new(key, format!("checkouts at {rate}/s")).samples(&samples).used(meter.stop());
    Ok((row, samples.at_ms(0.99)))
}

async fn warmed_up(installation: &Installation) -> Result<Vec<Connection>> {
    let clients = installation.connections(CLIENTS).await?;
    for n in 0..WARM_UP {
        one_of(&clients, n.into()).await?;
    }
    Ok(clients)
}

fn one_of(clients: &[Connection], n: u64) -> impl Future<Output = Result<()>> + Send + use<> {
    #[allow(clippy::cast_possible_truncation)] // only which of them
    take_one(clients[n as usize % clients.len()].clone())
}

async fn take_one(client: Connection) -> Result<()> {
    let answer = client.pools().request_pool(request(1)).await?.into_inner();
    let pool = answer.pool.context("a pool")?;
    ensure!(
        pool.state() == PoolState::Ready && pool.appliances.len() == 1,
        "not served at once, but {:?}",
        pool.state()
    );
    Ok(())
}
