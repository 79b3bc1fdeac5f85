//! From the request to ready on a real container engine, next to what the engine itself needs for create, start and the first answer. The two take turns, so
//! that both see the same machine. Only by name: it needs an engine.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sprout_client::proto::{
    pool::{KillPoolRequest, PoolState, WatchPoolRequest},
    task::Tags,
};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, Provider, ProviderKind};
use sprout_worker::driver::{CloneSpec, Driver, EndpointSpec};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::NotHere;
use crate::{
    report::{Report, Row},
    samples::Samples,
    services::Services,
};

const DEPLOYMENTS: u32 = 30;

pub(crate) async fn run(_: &Services, report: &mut Report) -> Result<()> {
    let provider = Provider::from_environment(ProviderKind::Container)?;
    let provider = provider.ok_or_else(|| NotHere("SPROUT_TEST_DOCKER names no engine".into()))?;
    let lab = Lab::start(DatabaseKind::Sqlite, provider, LabOptions::default()).await?.context("no database")?;
    let (engine, sprout) = (Samples::new()?, Samples::new()?);
    for n in 0..DEPLOYMENTS {
        engine.add(by_hand(lab.provider.driver(), n).await?);
        sprout.add(through_sprout(&lab).await?);
    }
    lab.stop().await?;
    let adds = sprout.at_ms(0.5) - engine.at_ms(0.5);
    report
        .add(Row::new("containers.engine", "container engine alone: create, start, first answer").samples(&engine))?;
    let row = Row::new("containers.sprout", "one container through Sprout: request → ready").samples(&sprout);
    report.add(row.figure("p50 over the engine's", adds, "ms"))
}

async fn through_sprout(lab: &Lab) -> Result<Duration> {
    let began = Instant::now();
    let pool = lab.request(1, None).await?;
    let mut watch = lab.client.pools().watch_pool(WatchPoolRequest { id: pool.id }).await?.into_inner();
    loop {
        let seen = watch.message().await?.context("the watch ended")?.pool.context("a pool")?;
        if seen.state() == PoolState::Ready {
            break;
        }
    }
    let took = began.elapsed();
    lab.client.pools().kill_pool(KillPoolRequest { id: pool.id }).await?;
    lab.until_pool(pool.id, PoolState::Ended).await?;
    Ok(took)
}

async fn by_hand(driver: &dyn Driver, n: u32) -> Result<Duration> {
    let tags = Tags { installation_id: "bench".into(), appliance_id: u64::from(n) + 1, epoch: 1 };
    let name = format!("bench-by-hand-{}-{n}", std::process::id());
    let web = EndpointSpec { name: "web".into(), port: 80, scheme: "http".into() };
    let template = "sprout-demo:1.0.0".to_owned();
    let spec = CloneSpec {
        template,
        name: name.clone(),
        tags: tags.clone(),
        memory_mib: None,
        cpus: None,
        endpoints: vec![web],
    };
    let began = Instant::now();
    driver.create(&spec).await?;
    driver.start(&name).await?;
    let there = driver.find(&name).await?.context("the container")?;
    let (host, port) = there.published.get(&80).context("its port")?;
    while answers(host, *port).await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    driver.delete(&name, &tags).await?;
    Ok(took)
}

async fn answers(host: &str, port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    anyhow::ensure!(answer.contains(" 200 "), "{answer}");
    Ok(())
}
