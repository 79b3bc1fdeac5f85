//! What goes wrong, one thing after the other, from a seed.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use sprout_client::proto::{
    sim::{Fault, FaultKind, SetFaultsRequest},
    task::StepErrorReason,
};
use sprout_e2e::{Program, Service, retry};
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::World;

/// How often what was done.
pub(crate) struct Faults(pub(crate) BTreeMap<&'static str, u32>);

impl Faults {
    /// Plays faults until then; afterwards everything runs.
    pub(crate) async fn play(world: &World, until: Instant, seed: u64) -> Result<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut played = BTreeMap::new();
        set_provider_faults(world).await?;
        while Instant::now() < until {
            let what = one(world, &mut random, until).await?;
            *played.entry(what).or_default() += 1;
            sleep_until(until.min(Instant::now() + Duration::from_millis(random.u64(1_000..4_000)))).await;
        }
        let provider = provider_faults(world).await.context("the simulator's faults")?;
        world.heal().await?;
        if provider > 0 {
            played.insert("provider faults", provider);
        }
        Ok(Self(played))
    }

    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }
}

async fn one(world: &World, random: &mut fastrand::Rng, until: Instant) -> Result<&'static str> {
    let server = &world.installation.servers[random.usize(..world.installation.servers.len())];
    let worker = &world.installation.workers[random.usize(..world.installation.workers.len())];
    let most = until.saturating_duration_since(Instant::now());
    let mut pause = |from: u64, to: u64| Duration::from_millis(random.u64(from..to)).min(most);
    Ok(match pause(0, 100).as_millis() {
        0..20 => killed(server, pause(0, 5_000), "server killed").await?,
        20..45 => killed(worker, pause(0, 15_000), "worker killed").await?,
        45..60 => frozen(worker, pause(1_000, 20_000), "worker frozen").await?,
        60..68 => frozen(server, pause(1_000, 15_000), "server frozen").await?,
        68..74 => killed(&world.installation.sim, pause(0, 3_000), "provider killed").await?,
        74..82 => down(&world.redis, "KILL", pause(0, 5_000), "Redis killed").await?,
        82..87 => down(&world.postgres, "KILL", pause(500, 4_000), "PostgreSQL killed").await?,
        87..91 => down(&world.postgres, "INT", pause(500, 4_000), "PostgreSQL restarted").await?,
        _ => {
            world.proxies.iter().for_each(crate::proxy::Proxy::cut);
            "connections cut"
        }
    })
}

async fn killed(process: &Program, down: Duration, what: &'static str) -> Result<&'static str> {
    process.kill().await?;
    sleep(down).await;
    process.ensure_running().await?;
    Ok(what)
}

async fn frozen(process: &Program, pause: Duration, what: &'static str) -> Result<&'static str> {
    process.signal("STOP").await?;
    sleep(pause).await;
    process.signal("CONT").await?;
    Ok(what)
}

async fn down(service: &Service, signal: &str, pause: Duration, what: &'static str) -> Result<&'static str> {
    service.signal(signal).await?;
    sleep(pause).await;
    service.revive().await?;
    Ok(what)
}

/// Calls fail, hang, are carried out late or unseen; machines vanish, crash and do not boot.
async fn set_provider_faults(world: &World) -> Result<()> {
    let fault = |kind: FaultKind, probability: f64, for_ms: u64| Fault {
        kind: kind.into(),
        probability,
        for_ms,
        reason: StepErrorReason::ProviderError.into(),
        ..Fault::default()
    };
    let faults = vec![
        fault(FaultKind::Error, 0.03, 0),
        fault(FaultKind::NoAnswer, 0.005, 0),
        fault(FaultKind::Disconnect, 0.02, 0),
        fault(FaultKind::Slow, 0.03, 2_000),
        fault(FaultKind::Late, 0.01, 3_000),
        fault(FaultKind::Lost, 0.005, 2_000),
        fault(FaultKind::Crash, 0.01, 1_000),
        fault(FaultKind::NoBoot, 0.02, 0),
        fault(FaultKind::NoAddress, 0.01, 0),
        fault(FaultKind::Stale, 0.03, 1_500),
    ];
    retry("the simulator takes its faults", async || {
        world.simulator()?.set_faults(SetFaultsRequest { faults: faults.clone() }).await?;
        Ok(())
    })
    .await
}

/// How many mistakes the provider made, by its own count.
async fn provider_faults(world: &World) -> Result<u32> {
    let faults = retry("the simulator answers", async || {
        Ok(world.simulator()?.list_faults(sprout_client::proto::sim::ListFaultsRequest {}).await?.into_inner().faults)
    })
    .await?;
    Ok(u32::try_from(faults.iter().map(|fault| fault.happened).sum::<u64>())?)
}
