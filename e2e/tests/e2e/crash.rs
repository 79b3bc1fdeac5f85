//! Server and worker are killed with SIGKILL at every step of a deployment and of a kill, before and after each commit; restarted, they end where
//! they would have ended anyway: exactly the wanted appliances, and after the kill nothing.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use sprout_client::proto::pool::{KillPoolRequest, PoolState};
use sprout_e2e::{Lab, LabOptions, crash_points, on_everything};

const DEPLOY: [&str; 6] = ["clone", "wait_present", "tag", "start", "wait_address", "wait_ready"];
const KILL: [&str; 3] = ["stop", "delete", "wait_gone"];

fn every_point() -> Vec<String> {
    DEPLOY.iter().chain(&KILL).flat_map(|step| crash_points(step)).collect()
}

fn options() -> LabOptions {
    LabOptions { crash_at: every_point(), ..LabOptions::default() }
}

async fn survives_a_kill_at_every_step(lab: Lab) -> Result<Lab> {
    let planned: BTreeSet<_> = every_point().into_iter().collect();
    let missed = || -> Result<Vec<String>> {
        let fired: BTreeSet<_> = lab.crashed()?.into_iter().collect();
        Ok(planned.difference(&fired).cloned().collect())
    };
    // A point after a commit is passed unseen when another one kills the process in between. So it is done again until all were hit.
    for round in 0.. {
        request_and_kill(&lab).await?;
        if missed()?.is_empty() {
            break;
        }
        ensure!(round < 5, "nobody was killed at {:?}", missed()?);
    }
    // Whoever was killed last is started again a moment after what it had done was seen.
    lab.until("every point killed its process once", async || {
        let kills = lab.server.kills() + lab.worker.kills();
        ensure!(kills as usize == planned.len(), "{kills} kills for {} points", planned.len());
        Ok(())
    })
    .await?;
    Ok(lab)
}

async fn request_and_kill(lab: &Lab) -> Result<()> {
    let pool = lab.request(2, None).await?;
    let ready = lab.until_pool(pool.id, PoolState::Ready).await?;

    let wanted: BTreeSet<_> = ready.appliances.iter().map(|appliance| appliance.name.clone()).collect();
    let there: BTreeSet<_> =
        lab.provider.ours(&lab.installation).await?.into_iter().map(|instance| instance.name).collect();
    ensure!(wanted.len() == 2 && there == wanted, "wanted {wanted:?}, on the provider are {there:?}");
    ensure!(ready.ready_count == 2, "{} are ready", ready.ready_count);

    lab.retry(async || Ok(lab.client.pools().kill_pool(KillPoolRequest { id: pool.id }).await?)).await?;
    lab.until_pool(pool.id, PoolState::Ended).await?;
    let left = lab.provider.ours(&lab.installation).await?;
    ensure!(left.is_empty(), "the pool has ended, and on the provider are still {left:?}");
    Ok(())
}

on_everything!(super::options(); survives_a_kill_at_every_step);
