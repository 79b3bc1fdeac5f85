//! The main job through real processes: request → ready → lease → gone, as users and their tools see it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sprout_client::proto::{
    event::EventKind,
    pool::{KillPoolRequest, PoolState, RequestPoolRequest},
};
use sprout_e2e::{Lab, on_everything, version};

fn json(output: &std::process::Output) -> Result<Value> {
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "sproutctl ended with {}: {error}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Request, wait, use, extend, kill: all with `sproutctl`.
async fn played_with_sproutctl(lab: Lab) -> Result<Lab> {
    let pool = json(&lab.sproutctl(&["-o", "json", "pool", "request", "demo", "-n", "2", "--wait"]).await?)?;
    let id = pool["id"].as_u64().context("an id")?.to_string();
    ensure!(pool["state"] == "ready", "{pool}");
    let appliances = pool["appliances"].as_array().context("appliances")?;
    ensure!(appliances.len() == 2, "{pool}");
    for appliance in appliances {
        let web = &appliance["endpoints"][0];
        let found = version(web["host"].as_str().context("a host")?, web["port"].as_u64().context("a port")?).await?;
        ensure!(found == "1.0.0", "an appliance answers {found}");
    }
    let extended = json(&lab.sproutctl(&["-o", "json", "pool", "extend", &id, "3h"]).await?)?;
    ensure!(extended["leased_until"].as_str() > pool["leased_until"].as_str(), "{extended}");
    json(&lab.sproutctl(&["-o", "json", "pool", "kill", &id, "--yes", "--wait"]).await?)?;
    let left = lab.provider.ours(&lab.installation).await?;
    ensure!(left.is_empty(), "on the provider are still {left:?}");
    Ok(lab)
}

/// A lease that ends is acted on within a second of its end, by the database's clock.
async fn lease_ends_on_time(lab: Lab) -> Result<Lab> {
    let pool = lab.request(1, Some(Duration::from_secs(2))).await?;
    lab.until_pool(pool.id, PoolState::Ended).await?;
    lab.until_nothing_is_left().await?;
    let events = lab.events(pool.id).await?;
    let at = |kind: EventKind, state: Option<&str>| {
        let found =
            events.iter().find(|event| event.kind() == kind && (state.is_none() || event.state.as_deref() == state));
        let at = found.and_then(|event| event.happened_at).with_context(|| format!("no event {kind:?} {state:?}"))?;
        anyhow::Ok(Duration::new(at.seconds.cast_unsigned(), at.nanos.cast_unsigned()))
    };
    let late = at(EventKind::LeaseExpired, None)?
        .checked_sub(at(EventKind::PoolState, Some("ready"))? + Duration::from_secs(2));
    let late = late.context("the lease ended too early")?;
    ensure!(late < Duration::from_secs(1), "the lease was acted on {late:?} late");
    Ok(lab)
}

/// The same request id is the same pool, also across a kill of the server between the tries; for another request it is an error.
async fn request_id_is_for_good(lab: Lab) -> Result<Lab> {
    let request = RequestPoolRequest {
        request_id: "one".into(),
        group: "demo".into(),
        count: 1,
        ..RequestPoolRequest::default()
    };
    let first = lab.client.pools().request_pool(request.clone()).await?.into_inner();
    lab.server.signal("KILL").await?;
    let again = lab.retry(async || Ok(lab.client.pools().request_pool(request.clone()).await?)).await?.into_inner();
    let (first, second) = (first.pool.context("a pool")?, again.pool.context("a pool")?);
    ensure!(again.repeated_request && first.id == second.id, "{} and {}", first.id, second.id);
    let other = lab.client.pools().request_pool(RequestPoolRequest { count: 2, ..request }).await;
    let status = other.err().context("another request with the same id was taken")?;
    ensure!(status.code() == sprout_client::Code::AlreadyExists, "{status}");
    lab.client.pools().kill_pool(KillPoolRequest { id: first.id }).await?;
    lab.until_pool(first.id, PoolState::Ended).await?;
    Ok(lab)
}

/// Killed while it is being deployed, a pool leaves nothing behind.
async fn killed_half_way(lab: Lab) -> Result<Lab> {
    let pool = lab.request(2, None).await?;
    lab.until("a deployment is under way", async || {
        ensure!(!lab.provider.ours(&lab.installation).await?.is_empty(), "nothing yet");
        Ok(())
    })
    .await?;
    lab.client.pools().kill_pool(KillPoolRequest { id: pool.id }).await?;
    lab.until_pool(pool.id, PoolState::Ended).await?;
    let left = lab.provider.ours(&lab.installation).await?;
    ensure!(left.is_empty(), "the pool has ended, and on the provider are still {left:?}");
    Ok(lab)
}

on_everything!(sprout_e2e::LabOptions::default(); played_with_sproutctl, lease_ends_on_time, request_id_is_for_good, killed_half_way);
