//! What cannot work says why, and leaves nothing behind.

use anyhow::{Context as _, Result, ensure};
use sprout_client::proto::{pool::PoolState, task::Tags};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, ProviderKind, scenario};
use sprout_worker::driver::CloneSpec;

/// A template that no other test sees.
fn vanishing() -> String {
    format!("sprout-vanishing-{}:999.0", std::process::id())
}

/// A template that vanished after it was found: the pool fails, names it and says what to do; nothing is left.
async fn template_vanished(lab: Lab) -> Result<Lab> {
    let driver = lab.provider.driver();
    let (name, newer) = (format!("by-hand-{}", std::process::id()), &vanishing());
    let tags = Tags { installation_id: lab.installation.clone(), appliance_id: 1, epoch: 1 };
    let spec = CloneSpec {
        template: "sprout-demo:1.0.0".into(),
        name: name.clone(),
        tags: tags.clone(),
        memory_mib: None,
        cpus: None,
        endpoints: Vec::new(),
    };
    driver.create(&spec).await?;
    driver.make_template(&name, newer).await?;
    driver.delete(&name, &tags).await?;
    lab.check_provider().await?;
    lab.until("the new template is found", async || {
        let templates = lab.sproutctl(&["-o", "json", "template", "list"]).await?;
        ensure!(String::from_utf8_lossy(&templates.stdout).contains(newer.as_str()), "not yet");
        Ok(())
    })
    .await?;
    driver.delete_template(newer).await?;

    let output = lab.sproutctl(&["pool", "request", "demo", "-n", "2", "--wait"]).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(8), "it ended with {}: {error}", output.status);
    ensure!(error.contains(newer.as_str()), "the template is not named: {error}");
    let failed = lab.pool(1).await?;
    ensure!(failed.state() == PoolState::Failed && failed.status.contains(newer.as_str()), "{failed:?}");
    lab.until_nothing_is_left().await?;
    Ok(lab)
}

/// A worker that is killed with steps under way takes none of them along: back under its name, it is given them anew.
async fn tasks_outlive_their_worker(lab: Lab) -> Result<Lab> {
    let pool = lab.request(3, None).await?;
    lab.worker.signal("KILL").await?;
    let ready = lab.until_pool(pool.id, PoolState::Ready).await?;
    ensure!(ready.appliances.len() == 3, "{} appliances", ready.appliances.len());
    let killed = lab.sproutctl(&["pool", "kill", &pool.id.to_string(), "--yes", "--wait"]).await?;
    ensure!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    let left = lab.provider.ours(&lab.installation).await?;
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(lab)
}

/// Warm appliances are granted at once, and made again.
async fn warm_ones_are_granted_and_replaced(lab: Lab) -> Result<Lab> {
    let warm = async || {
        let list = lab.sproutctl(&["-o", "json", "appliance", "list", "--warm"]).await?;
        let list: serde_json::Value = serde_json::from_slice(&list.stdout)?;
        let ready = |a: &&serde_json::Value| a["state"] == "ready";
        let names =
            list.as_array().context("a list")?.iter().filter(ready).map(|a| a["name"].to_string()).collect::<Vec<_>>();
        ensure!(names.len() == 2, "{} are warm", names.len());
        Ok(names)
    };
    let before = lab.until("two are warm", warm).await?;
    let pool = lab.request(2, None).await?;
    ensure!(pool.state() == PoolState::Ready, "it waits although there is what it wants: {:?}", pool.state());
    let granted: Vec<_> = pool.appliances.iter().map(|a| format!("{:?}", a.name)).collect();
    ensure!(granted.iter().all(|name| before.contains(name)), "{granted:?} were not among {before:?}");
    let after = lab.until("two others are warm", warm).await?;
    ensure!(after.iter().all(|name| !before.contains(name)), "{after:?}");
    let killed = lab.sproutctl(&["pool", "kill", &pool.id.to_string(), "--yes", "--wait"]).await?;
    ensure!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    for name in after {
        let get = lab.sproutctl(&["-o", "json", "appliance", "get", name.trim_matches('"')]).await?;
        let appliance: serde_json::Value = serde_json::from_slice(&get.stdout)?;
        ensure!(appliance["pool_id"].is_null(), "{appliance}");
    }
    Ok(lab)
}

#[test]
fn sqlite_container_template_vanished() {
    let pattern = format!("sprout-(demo|vanishing-{}):(?<version>[0-9.]+)", std::process::id());
    let options = LabOptions { template_pattern: Some(pattern), ..LabOptions::default() };
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, template_vanished, options);
}

#[test]
fn postgres_container_tasks_outlive_their_worker() {
    scenario(DatabaseKind::Postgres, ProviderKind::Container, tasks_outlive_their_worker, LabOptions::default());
}

#[test]
fn sqlite_container_warm_ones_are_granted_and_replaced() {
    let options = LabOptions { warm: 2, ..LabOptions::default() };
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, warm_ones_are_granted_and_replaced, options);
}
