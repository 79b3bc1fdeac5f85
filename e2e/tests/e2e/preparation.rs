//! Templates prepared on real providers: over SSH on a virtual machine, by requests in a container, and with server and worker killed around the steps.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sprout_client::proto::pool::{KillPoolRequest, PoolState};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, ProviderKind, crash_points, scenario};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Steps around which there are kills; others are killed around in deployments.
const STEPS: [&str; 3] = ["configure", "seal", "make_template"];

/// What `sproutctl` says, which must be well.
async fn told(lab: &Lab, arguments: &[&str]) -> Result<Value> {
    let arguments: Vec<_> = ["--output", "json"].iter().chain(arguments).copied().collect();
    let output = lab.sproutctl(&arguments).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).with_context(|| format!("{arguments:?} said {said}"))
}

/// Templates in this state: id, name, and the one that it was made of.
async fn templates(lab: &Lab, state: &str) -> Result<Vec<(u64, String, Option<u64>)>> {
    let listed = told(lab, &["template", "list"]).await?;
    let all = listed["templates"].as_array().or(listed.as_array()).context("no list")?.clone();
    let one = |template: &Value| {
        let name = template["name"].as_str()?.to_owned();
        (template["state"] == state).then_some(())?;
        Some((template["id"].as_u64()?, name, template["parent_id"].as_u64()))
    };
    Ok(all.iter().filter_map(one).collect())
}

/// The template that others are made of.
async fn parent(lab: &Lab) -> Result<u64> {
    let found = templates(lab, "ready").await?;
    let plain = found.into_iter().find(|(.., parent)| parent.is_none());
    Ok(plain.context("no template to prepare")?.0)
}

/// What a web server answers.
async fn get(host: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect((host, 80)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Deletes what was made.
async fn deleted(lab: &Lab) -> Result<()> {
    for (id, ..) in templates(lab, "ready").await?.into_iter().filter(|(.., parent)| parent.is_some()) {
        told(lab, &["template", "delete", &id.to_string(), "--yes", "--wait"]).await?;
    }
    let names = lab.provider.driver().templates().await?;
    ensure!(!names.iter().any(|name| name.contains("s_tpl_")), "left: {names:?}");
    Ok(())
}

/// By SSH with the key that the image of the machine knows.
fn over_ssh() -> LabOptions {
    let image = env::var("SPROUT_TEST_VM_IMAGE").unwrap_or_default();
    let key = Path::new(&image).with_file_name("id_ed25519");
    let key = fs::read_to_string(key).unwrap_or_default();
    let key = key.lines().map(|line| format!("    {line}"));
    let credentials = ["appliance:", "  username: root", "  private_key: |"].map(str::to_owned);
    let group = [
        "ssh: {credentials: appliance}",
        "prepare:",
        "  automatic: false",
        "  version: {script: cat /www/version}",
        "  configure:",
        "    - {script: 'echo \"prepared $SPROUT_VERSION of $SPROUT_FROM_TEMPLATE\" | tee /www/prepared', silence: 1m}",
        "    - {upload: {file: sprout.yaml, to: /etc/sprout/copy.yaml, mode: '0600'}}",
        "  seal:",
        "    - {script: 'test -s /etc/sprout/copy.yaml && rm -f /etc/dropbear/*_host_key'}",
    ];
    LabOptions {
        group: group.map(str::to_owned).into(),
        credentials: credentials.into_iter().chain(key).collect(),
        ..LabOptions::default()
    }
}

async fn is_prepared_over_ssh_and_deployed_from(lab: Lab) -> Result<Lab> {
    let parent = parent(&lab).await?.to_string();
    let made = told(&lab, &["template", "prepare", &parent, "--wait", "--timeout", "4m"]).await?;
    ensure!(made["state"] == "ready" && made["verified_version"] == "1.0.0", "{made}");
    let (id, name) = (made["id"].to_string(), made["name"].as_str().unwrap_or_default().to_owned());
    ensure!(name.starts_with("s_tpl_demo_"), "{name}");
    let log = lab.sproutctl(&["template", "logs", &id]).await?;
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    ensure!(log.contains("configure task=") && log.contains("prepared 1.0.0 of appliance-1.0.0"), "{log}");
    ensure!(log.contains("shows the host key ssh-ed25519") && !log.contains("PRIVATE KEY"), "{log}");
    lab.until_nothing_is_left().await?;

    let pool = lab.request(1, None).await?.id;
    let pool = lab.until_pool(pool, PoolState::Ready).await?;
    let appliance = pool.appliances.first().context("no appliance")?;
    ensure!(appliance.template == name, "deployed from {}", appliance.template);
    let address = appliance.address.clone().context("no address")?;
    let answer = get(&address, "/prepared").await?;
    ensure!(answer.trim().ends_with("prepared 1.0.0 of appliance-1.0.0"), "{answer}");
    lab.client.pools().kill_pool(KillPoolRequest { id: pool.id }).await?;
    lab.until_nothing_is_left().await?;
    deleted(&lab).await?;
    Ok(lab)
}

/// By requests, which need no SSH.
fn by_requests() -> LabOptions {
    let call = "http: {endpoint: web, method: GET, path: /version}";
    let group = vec![
        "prepare:".to_owned(),
        "  automatic: false".to_owned(),
        format!("  configure: [{{{call}}}]"),
        format!("  seal: [{{{call}}}]"),
    ];
    let crash_at = STEPS.iter().flat_map(|step| crash_points(step)).collect();
    LabOptions { group, crash_at, crash_later: true, ..LabOptions::default() }
}

async fn is_prepared_although_everybody_is_killed(lab: Lab) -> Result<Lab> {
    let parent = parent(&lab).await?.to_string();
    let mut left: Vec<String> = STEPS.iter().flat_map(|step| crash_points(step)).collect();
    for round in 1.. {
        for point in &left {
            lab.arm(point)?;
        }
        told(&lab, &["template", "prepare", &parent]).await?;
        lab.until("it is prepared, once", async || {
            let ready = templates(&lab, "ready").await?;
            let made = ready.iter().filter(|(.., parent)| parent.is_some()).count();
            ensure!(made == round, "{made} templates in round {round}: {ready:?}");
            Ok(())
        })
        .await?;
        let mut missed = Vec::new();
        for point in left {
            if !lab.disarm(&point)? {
                missed.push(point);
            }
        }
        left = missed;
        if left.is_empty() {
            break;
        }
        ensure!(round < 5, "nobody was killed at {left:?}");
    }
    ensure!(templates(&lab, "preparing").await?.is_empty(), "one is being prepared still");
    lab.until_nothing_is_left().await?;
    deleted(&lab).await?;
    Ok(lab)
}

#[test]
fn sqlite_libvirt_a_machine_is_prepared_over_ssh_and_appliances_deployed_from_it() {
    scenario(DatabaseKind::Sqlite, ProviderKind::Libvirt, is_prepared_over_ssh_and_deployed_from, over_ssh());
}

#[test]
fn postgres_container_is_prepared_although_everybody_is_killed() {
    scenario(DatabaseKind::Postgres, ProviderKind::Container, is_prepared_although_everybody_is_killed, by_requests());
}
