//! A catalogue through real processes: what it lists comes in with `sproutctl catalogue sync`, can be requested, and goes when it says so.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sprout_e2e::{AllInOne, LONG, retry, run};
use sprout_test_support::trackerbot::{Fault, StandIn, object};
use tokio::time::timeout;

const GROUP: &str = "downstream-511z";
const OLDER: &str = "cfme-5.11.7.3-20200910";
const NEWER: &str = "cfme-5.11.7.4-20200917";
const EXTDB: &str = "cfme-5.11.7.5-extdb-20200924";

fn listed(name: &str, usable: bool) -> Value {
    object("simulated", name, GROUP, "2020-09-10", usable)
}

/// What a command prints, and how it ends.
async fn sproutctl(world: &AllInOne, arguments: &[&str]) -> Result<(Option<i32>, Value, String)> {
    let arguments = [&["-o", "json"], arguments].concat();
    let ran = timeout(LONG, run(&mut world.command("sproutctl", &arguments)?, "")).await.context("it never ends")??;
    let said = serde_json::from_slice(&ran.stdout).unwrap_or(Value::Null);
    Ok((ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned()))
}

/// Requests one, waits for it, and gives it back; returns its version.
async fn requested(world: &AllInOne) -> Result<String> {
    let (code, pool, error) = sproutctl(world, &["pool", "request", GROUP, "--wait"]).await?;
    ensure!(code == Some(0), "{error}");
    let id = pool["id"].as_u64().context("an id")?.to_string();
    let (code, _, error) = sproutctl(world, &["pool", "kill", &id, "--yes", "--wait"]).await?;
    ensure!(code == Some(0), "{error}");
    Ok(pool["version"].as_str().context("a version")?.to_owned())
}

/// Waits until the one warm appliance is of this template, ready, and there is no other.
async fn until_warm(world: &AllInOne, template: &str) -> Result<()> {
    retry(template, async || {
        let (_, found, error) = sproutctl(world, &["appliance", "list", "--warm"]).await?;
        let found: Vec<_> =
            found.as_array().context(error)?.iter().map(|one| (&one["template"], &one["state"])).collect();
        ensure!(found == [(&Value::from(template), &Value::from("ready"))], "warm are {found:?}");
        Ok(())
    })
    .await
}

async fn played(world: &AllInOne, bot: &StandIn) -> Result<()> {
    world.check_provider(0).await?;
    // It is asked for again and again until the provider was looked at.
    retry("names are told", async || {
        let (_, status, error) = sproutctl(world, &["catalogue", "status"]).await?;
        let source = status["sources"].as_array().into_iter().flatten().find(|source| source["kind"] == "provider");
        let source = source.with_context(|| format!("no provider in {status}: {error}"))?;
        ensure!(source["problems"][0]["subject"] == "random-name", "{source}");
        ensure!(source["listed_count"] == 3 && source["usable_count"] == 0, "{source}");
        Ok(())
    })
    .await?;
    let (code, _, error) = sproutctl(world, &["pool", "request", GROUP]).await?;
    ensure!(code != Some(0) && error.contains("catalogue bot does not list it"), "{error}");

    let elsewhere = object("elsewhere", OLDER, GROUP, "2020-09-10", true);
    let unknown = object("simulated", "whatever", "unknown", "2020-09-10", true);
    bot.list(vec![listed(OLDER, true), elsewhere, unknown, listed(EXTDB, true), listed(NEWER, true)], 2);
    let (code, status, error) = sproutctl(world, &["catalogue", "sync", "--wait"]).await?;
    ensure!(code == Some(0), "{error}");
    let source = &status["sources"][0];
    ensure!(source["name"] == "bot" && source["listed_count"] == 3 && source["failure"].is_null(), "{status}");
    ensure!(status["job"]["last_run"]["state"] == "done", "{status}");
    ensure!(requested(world).await? == "5.11.7.4");
    let (code, _, error) = sproutctl(world, &["shepherd", "set", GROUP, "--preconfigured", "1"]).await?;
    ensure!(code == Some(0), "{error}");
    until_warm(world, NEWER).await?;

    // The newer one may not be used any more, which the first page says; the second one is broken.
    bot.list(vec![listed(NEWER, false), listed(OLDER, true), listed(EXTDB, true)], 2);
    bot.fault(1, Fault::Html, true);
    let (code, status, error) = sproutctl(world, &["catalogue", "sync", "--wait"]).await?;
    ensure!(code != Some(0) && error.contains("page 2: it is a web page"), "{error}");
    ensure!(status["sources"][0]["listed_count"] == 3, "what was not read stays: {status}");
    ensure!(requested(world).await? == "5.11.7.3");
    until_warm(world, OLDER).await?;
    let (_, templates, _) = sproutctl(world, &["template", "list", "--group", GROUP]).await?;
    let reason = |name: &str| {
        let found = templates.as_array().into_iter().flatten().find(|template| template["name"] == name);
        found.map(|template| template["unusable_reason"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    ensure!(reason(NEWER) == "catalogue bot says that it is not usable", "{templates}");
    ensure!(reason(EXTDB) == "builds of type extdb are not used, says rule cfme", "{templates}");

    let (code, names, error) =
        sproutctl(world, &["catalogue", "name", NEWER, "cfme-59022-0101", "random-name"]).await?;
    ensure!(code == Some(0) && names[0]["group"] == GROUP && names[0]["group_exists"] == true, "{names} {error}");
    ensure!(names[1]["version"] == "5.9.0.22" && names[1]["date"] == "--01-01", "{names}");
    ensure!(names[2]["rule"].is_null() && names[2]["message"] == "no rule matches it", "{names}");
    Ok(())
}

#[test]
fn templates_come_in_and_go_as_a_catalogue_says() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let bot = StandIn::start().await?;
        let section =
            format!("  catalogues: {{bot: {{url: '{}'}}}}\n  groups:\n    {GROUP}:\n      catalogue: bot\n", bot.url());
        let templates = [OLDER, NEWER, EXTDB, "random-name"].map(|name| format!("{name}=1.0")).join(",");
        let world = AllInOne::with(Duration::from_millis(50), &templates, &section).await?;
        let played = timeout(LONG, played(&world, &bot)).await.context("the test took too long").flatten();
        played.with_context(|| format!("logs are in {}", world.keep_logs()))
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}
