//! `sproutctl checkout`, and the examples of the Rust client, against a real server: whatever ends them, nothing is left.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sprout_client::proto::{
    appliance::{ListAppliancesRequest, UnholdApplianceRequest},
    event::EventKind,
};
use sprout_e2e::{AllInOne, GROUP, LONG, signal};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout},
    time::timeout,
};

/// A checkout whose command has said which pool it has, and goes on until its standard input ends.
struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    pool: u64,
}

impl Running {
    async fn start(world: &AllInOne, arguments: &[&str], script: &str) -> Result<Self> {
        let script = format!("echo $SPROUT_POOL_ID; {script}");
        let arguments = [&["checkout", GROUP], arguments, &["--", "sh", "-c", &script]].concat();
        let mut child = world.command("sproutctl", &arguments)?.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("no output")?).lines();
        let Some(first) = timeout(LONG, stdout.next_line()).await.context("the command never runs")?? else {
            let output = child.wait_with_output().await?;
            anyhow::bail!("no command was run: {}", String::from_utf8_lossy(&output.stderr));
        };
        Ok(Self { child, stdout, pool: first.parse()? })
    }

    async fn line(&mut self) -> Result<String> {
        self.stdout.next_line().await?.context("it says nothing more")
    }

    /// Ends its input, and waits for its end; returns the exit code and what it said besides.
    async fn end(mut self) -> Result<(Option<i32>, String)> {
        drop(self.child.stdin.take());
        let output = timeout(LONG, self.child.wait_with_output()).await.context("it never ends")??;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

fn play(clone_latency: Duration, test: impl AsyncFnOnce(&AllInOne) -> Result<()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let world = AllInOne::start(clone_latency).await?;
        let played = timeout(LONG, test(&world)).await.context("the test took too long").flatten();
        played.with_context(|| format!("logs are in {}", world.keep_logs()))
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}

const QUICK: Duration = Duration::from_millis(50);

#[test]
fn a_command_has_its_appliances_and_nothing_is_left() {
    play(QUICK, async |world| {
        let file = world.directory().join("env.local.yaml");
        let arguments = ["-n", "2", "--populate-yaml", file.to_str().unwrap()];
        let script = "printf '%s\n' \"$SPROUT_APPLIANCES\" \"$SPROUT_APPLIANCE_1_URL\"; read end; exit 7";
        let mut running = Running::start(world, &arguments, script).await?;
        let found: Value = serde_json::from_str(&running.line().await?)?;
        let listed = world.command("sproutctl", &["appliance", "list", "-o", "json"])?.output().await?;
        let mut listed: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
        listed.sort_by_key(|appliance| appliance["id"].as_u64());
        ensure!(found == Value::from(listed.clone()), "{found:#}\nand\n{listed:#?}");
        let url = running.line().await?;
        ensure!(found[1]["url"] == *url && version(&url).await? == "1.0", "{url}");
        let yaml = fs::read_to_string(&file)?;
        ensure!(yaml.matches("- hostname:").count() == 2 && yaml.contains("version: \"1.0\""), "{yaml}");
        let pool = running.pool;
        let (code, stderr) = running.end().await?;
        ensure!(code == Some(7), "{code:?}: {stderr}");
        ensure!(!file.exists(), "the file was not there before");
        world.until_nothing_is_left(pool).await
    });
}

/// What answers there at `/version`.
async fn version(url: &str) -> Result<String> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(format!("GET /version HTTP/1.0\r\nHost: {authority}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").context("no answer")?.1.trim().to_owned())
}

#[test]
fn a_short_lease_lasts_as_long_as_the_command() {
    play(QUICK, async |world| {
        let running = Running::start(world, &["--lease", "6s"], "read end").await?;
        let pool = running.pool;
        let mut events = world.events(pool).await?;
        // Longer than two leases.
        for _ in 0..4 {
            let before = events.until(EventKind::PoolExtended).await?;
            ensure!(!before.contains(&EventKind::LeaseExpired), "{before:?}");
        }
        let (code, stderr) = running.end().await?;
        ensure!(code == Some(1), "`read` ends so at the end of its input: {code:?}: {stderr}");
        world.until_nothing_is_left(pool).await
    });
}

#[test]
fn one_that_is_told_to_end_leaves_nothing() {
    play(QUICK, async |world| {
        let running = Running::start(world, &["--hold-on-failure", "1h"], "exec cat").await?;
        let pool = running.pool;
        signal(&running.child, "TERM").await?;
        let (code, stderr) = running.end().await?;
        ensure!(code == Some(128 + 15), "{code:?}: {stderr}");
        world.until_nothing_is_left(pool).await
    });
}

#[test]
fn one_that_is_killed_leaves_nothing_after_its_lease() {
    play(QUICK, async |world| {
        let mut running = Running::start(world, &["--lease", "3s"], "read end").await?;
        running.child.kill().await?;
        world.events(running.pool).await?.until(EventKind::LeaseExpired).await?;
        world.until_nothing_is_left(running.pool).await
    });
}

#[test]
fn one_that_is_killed_while_it_waits_leaves_nothing_after_its_keep_alive() {
    // Not ready before it is dropped; what is being made then is made first, and deleted after that.
    play(Duration::from_secs(25), async |world| {
        let mut command = world.command("sproutctl", &["checkout", GROUP, "--keep-alive", "10s", "--", "true"])?;
        let mut child = command.spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().context("no errors")?).lines();
        let first = stderr.next_line().await?.context("nothing was said")?;
        ensure!(first.starts_with("pool 1: 1 × sim 1.0 requested"), "{first}");
        child.kill().await?;
        world.until_nothing_is_left(1).await
    });
}

#[test]
fn a_failure_is_held_to_be_looked_at() {
    play(QUICK, async |world| {
        let running = Running::start(world, &["-n", "2", "--hold-on-failure", "1h"], "exit 5").await?;
        let pool = running.pool;
        let (code, stderr) = running.end().await?;
        ensure!(code == Some(5), "{code:?}: {stderr}");
        ensure!(stderr.contains("the command failed; its appliances are held for 60 min:\n"), "{stderr}");
        ensure!(stderr.contains(&format!("give them back with `sproutctl pool kill {pool}`")), "{stderr}");
        let held = sprout_e2e::retry("their lease is over, and they are held", async || {
            let request = ListAppliancesRequest { expired_and_held: true, ..ListAppliancesRequest::default() };
            let held = world.appliances(request).await?;
            ensure!(held.len() == 2, "{held:?}");
            Ok(held)
        })
        .await?;
        for appliance in held {
            ensure!(stderr.contains(&format!("  {} {} {}", appliance.id, appliance.name, appliance.url)), "{stderr}");
            world.client.appliances().unhold_appliance(UnholdApplianceRequest { id: appliance.id }).await?;
        }
        world.until_nothing_is_left(pool).await
    });
}

#[test]
fn a_restart_of_the_server_ends_nothing() {
    play(Duration::from_secs(2), async |world| {
        let mut child = world.command("sproutctl", &["checkout", GROUP, "--", "echo", "ran"])?.spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().context("no errors")?).lines();
        let first = stderr.next_line().await?.context("nothing was said")?;
        ensure!(first.starts_with("pool 1: "), "{first}");
        world.sprout.kill().await?;
        world.sprout.ensure_running().await?;
        let output = timeout(LONG, child.wait_with_output()).await??;
        ensure!(output.status.success() && output.stdout == b"ran\n", "{output:?}");
        world.until_nothing_is_left(1).await
    });
}

#[test]
fn the_examples_of_the_client_do_what_they_say() {
    play(QUICK, async |world| {
        let output = world.command("examples/checkout", &[GROUP, "2"])?.output().await?;
        let stdout = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ensure!(stdout.lines().count() == 2 && stdout.contains(" 1.0 http://"), "{stdout}");
        world.until_nothing_is_left(1).await?;
        for (group, says) in [(GROUP, "no template has that version\n"), ("none", "there is no such group\n")] {
            let output = world.command("examples/reasons", &[group])?.output().await?;
            ensure!(String::from_utf8(output.stdout)? == says, "{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    });
}
