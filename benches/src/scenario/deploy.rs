//! From the request to ready, and from the kill to gone, over what the provider itself takes.

use std::time::{Duration, Instant};

use crate::{
    installation::Installation,
    load,
    report::{Report, Row},
    samples::Samples,
    seed::request,
    services::Services,
    sim::{Sim, Times},
    usage::Meter,
};
use anyhow::{Context as _, Error, Result, bail, ensure};
use sprout_client::{
    Connection,
    proto::pool::{KillPoolRequest, ListPoolsRequest, PoolState, WatchPoolRequest},
};

const TIMES: Times = Times { create: 500, start: 100, boot: 200, ready: 300, stop: 50, delete: 50 };
/// Everything takes less.
const LONG: Duration = Duration::from_secs(120);
const KILLS: u32 = 2000;

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let sim = Sim::start(TIMES)?;
    let mut installation = Installation::with_sim(services, &sim).await?;
    // Room for every step at once: the limit is to be Sprout's.
    installation.start_worker("worker-1", 2500).await?;
    installation.check_provider().await?;
    let clients = installation.connections(20).await?;
    let watched = || [sim.process().watched()].into_iter().chain(installation.watched()).collect();

    deployments(&clients, 5).await?;
    let meter = Meter::start(watched())?;
    let alone = Samples::new()?;
    for _ in 0..20 {
        let began = Instant::now();
        deploy(clients[0].clone()).await?;
        alone.add(began.elapsed().saturating_sub(TIMES.of_deployment()));
    }
    let note = format!("the provider takes {} ms", TIMES.of_deployment().as_millis());
    let row = Row::new("deploy.1", "request → ready over provider time, one at a time").samples(&alone);
    report.add(row.used(meter.stop()).note(&note))?;
    for (key, count) in [("deploy.100", 100), ("deploy.1000", 1000)] {
        let meter = Meter::start(watched())?;
        let over = deployments(&clients, count).await?;
        let row = Row::new(key, format!("request → ready over provider time, {count} at once")).samples(&over);
        report.add(row.used(meter.stop()).note(&note))?;
    }
    deployments(&clients, KILLS - 1125).await?;

    let meter = Meter::start(watched())?;
    let took = kill_all(&clients).await?;
    let row = Row::new("kill", "2,000 kills: from the first call to the last one gone");
    let row = row.figure("time", took.as_secs_f64() * 1000.0, "ms");
    let row = row.figure("rate", f64::from(KILLS) / took.as_secs_f64(), "kills/s");
    let note = format!("the provider takes {} ms for each, any number at once", TIMES.of_kill().as_millis());
    report.add(row.used(meter.stop()).note(note))?;
    installation.stop().await?;
    sim.stop().await
}

/// So many at one moment; how long each took over the provider's time.
async fn deployments(clients: &[Connection], count: u32) -> Result<Samples> {
    let took = load::burst(count.into(), |n| deploy(one_of(clients, n)));
    let (samples, refused) = tokio::time::timeout(LONG, took).await.context("some were never ready")??;
    none(&refused, "deployments")?;
    samples.less(TIMES.of_deployment())
}

async fn deploy(client: Connection) -> Result<()> {
    let pool = client.pools().request_pool(request(1)).await?.into_inner().pool.context("a pool")?;
    let mut watch = client.pools().watch_pool(WatchPoolRequest { id: pool.id }).await?.into_inner();
    loop {
        let seen = watch.message().await?.context("the watch ended")?.pool.context("a pool")?;
        ensure!(seen.state() != PoolState::Failed, "a deployment failed: {}", seen.status);
        if seen.state() == PoolState::Ready {
            return Ok(());
        }
    }
}

/// Kills every pool there is.
async fn kill_all(clients: &[Connection]) -> Result<Duration> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let ask = ListPoolsRequest { page_size: 1000, page_token, ..ListPoolsRequest::default() };
        let page = clients[0].pools().list_pools(ask).await?.into_inner();
        all.extend(page.pools.into_iter().map(|pool| pool.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    ensure!(all.len() == usize::try_from(KILLS)?, "{} pools are there instead of {KILLS}", all.len());
    let began = Instant::now();
    let (_, refused) = load::burst(KILLS.into(), |n| {
        let (client, id) = (one_of(clients, n), all[usize::try_from(n).unwrap_or_default()]);
        async move {
            client.pools().kill_pool(KillPoolRequest { id }).await?;
            Ok(())
        }
    })
    .await?;
    none(&refused, "kills")?;
    loop {
        let ask = ListPoolsRequest { page_size: 1, ..ListPoolsRequest::default() };
        if clients[0].pools().list_pools(ask).await?.into_inner().pools.is_empty() {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < LONG, "some are not gone after {LONG:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn none(refused: &[Error], what: &str) -> Result<()> {
    let Some(first) = refused.first() else { return Ok(()) };
    bail!("{} {what} failed, the first because: {first}", refused.len())
}

fn one_of(clients: &[Connection], n: u64) -> Connection {
    clients[usize::try_from(n).unwrap_or_default() % clients.len()].clone()
}
