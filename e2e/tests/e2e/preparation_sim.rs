//! A template prepared on the simulated provider, and an appliance deployed from it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sprout_e2e::{AllInOne, GROUP, LONG, run};
use tokio::time::timeout;

/// By requests alone: what is simulated knows no SSH.
const SECTION: &str = "  groups:
    GROUP:
      template_pattern: 'sim-(?<version>[0-9.]+)'
      prepare:
        automatic: false
        configure: [{http: {endpoint: web, method: POST, path: /configure, body: '{}'}}]
        seal: [{http: {endpoint: web, method: GET, path: /seal}}]
";

/// What a command prints, which must go well.
async fn told(world: &AllInOne, arguments: &[&str]) -> Result<Value> {
    let arguments = [&["-o", "json"], arguments].concat();
    let ran = timeout(LONG, run(&mut world.command("sproutctl", &arguments)?, "")).await.context("it never ends")??;
    ensure!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(serde_json::from_slice(&ran.stdout)?)
}

async fn is_prepared_and_deployed_from(world: &AllInOne) -> Result<()> {
    world.check_provider(1).await?;
    let listed = told(world, &["template", "list"]).await?;
    let built = &listed[0];
    ensure!(built["unconfigured"] == true && built["name"] == "sim-1.0", "{listed}");
    let made = told(world, &["template", "prepare", &built["id"].to_string(), "--wait"]).await?;
    ensure!(made["state"] == "ready" && made["parent_id"] == built["id"], "{made}");

    let pool = told(world, &["pool", "request", GROUP, "--wait"]).await?;
    let of = &pool["appliances"][0]["template"];
    ensure!(*of == made["name"], "deployed from {of}: {pool}");
    told(world, &["pool", "kill", &pool["id"].to_string(), "--yes", "--wait"]).await?;
    world.until_nothing_is_left(pool["id"].as_u64().context("an id")?).await?;
    told(world, &["template", "delete", &made["id"].to_string(), "--yes", "--wait"]).await?;
    let listed = told(world, &["template", "list"]).await?;
    ensure!(listed.as_array().is_some_and(|left| left.len() == 1), "{listed}");
    Ok(())
}

#[test]
fn a_template_is_prepared_and_an_appliance_deployed_from_it() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let world = AllInOne::with(Duration::from_millis(50), "sim-1.0=1.0", &SECTION.replace("GROUP", GROUP)).await?;
        let played = timeout(LONG, is_prepared_and_deployed_from(&world)).await.context("it took too long").flatten();
        played.with_context(|| format!("logs are in {}", world.keep_logs()))
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}
