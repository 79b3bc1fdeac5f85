//! What others do on this machine, in this run: PostgreSQL alone (the floor under everything durable) and Celery with Redis.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tokio::process::Command;

use super::NotHere;
use crate::{
    process::{Process, output},
    report::{Report, Row},
    samples::Samples,
    services::Services,
    usage::{Meter, Watched},
};

const SECONDS: &str = "5";
/// Tasks for Celery's throughput, and single ones.
const TASKS: u32 = 5000;
const SINGLE: u32 = 500;

/// One-row updates, each a commit of its own, in a table with one row per client, so that none waits for another's lock.
pub(crate) async fn floor(services: &Services, report: &mut Report) -> Result<()> {
    let url = services.postgres.as_ref().ok_or_else(|| NotHere("SPROUT_TEST_POSTGRES names no server".into()))?;
    if Command::new("pgbench").arg("--version").stdout(Stdio::null()).status().await.is_err() {
        return Err(NotHere("pgbench is not installed".into()).into());
    }
    let database = crate::seed::open(url).await?;
    let run = async |statement: &str| sea_orm::ConnectionTrait::execute_unprepared(&database, statement).await;
    run("drop table if exists sprout_bench_floor").await?;
    run("create table sprout_bench_floor (id bigint primary key, n bigint not null)").await?;
    run("insert into sprout_bench_floor select i, 0 from generate_series(0, 31) i").await?;
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("update.sql");
    std::fs::write(&script, "update sprout_bench_floor set n = n + 1 where id = :client_id;\n")?;
    for (key, clients) in [("floor.1", "1"), ("floor.8", "8"), ("floor.32", "32")] {
        let meter = Meter::start(services.postgres_process.iter().cloned().collect())?;
        let mut command = Command::new("pgbench");
        command.args(["--no-vacuum", "--protocol", "prepared", "--time", SECONDS, "--client", clients, "--file"]);
        let said = output(command.arg(&script).arg(url), "").await?;
        let used = meter.stop();
        let number = |label: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(label)).context("what pgbench printed")?;
            anyhow::Ok(line.trim().split(' ').next().unwrap_or_default().parse::<f64>()?)
        };
        let row = Row::new(key, format!("PostgreSQL alone, one-row commits, {clients} clients (pgbench)"));
        let row = row.figure("rate", number("tps = ")?, "/s").figure("mean", number("latency average = ")?, "ms");
        report.add(row.used(used))?;
    }
    run("drop table sprout_bench_floor").await?;
    Ok(())
}

#[derive(Deserialize)]
struct Measured {
    rate: f64,
    latencies: Vec<f64>,
}

/// Tasks that do nothing, on the same Redis. scripts/bench.sh has installed it.
pub(crate) async fn celery(services: &Services, report: &mut Report) -> Result<()> {
    let python =
        std::env::var("SPROUT_BENCH_CELERY").map_err(|_| NotHere("SPROUT_BENCH_CELERY names no Python".into()))?;
    let redis = services.redis.as_ref().ok_or_else(|| NotHere("SPROUT_TEST_REDIS names no server".into()))?;
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("celery");
    let directory = tempfile::tempdir()?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(arguments).current_dir(&programs).env("BENCH_REDIS", redis).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    // Its documentation advises as many processes as cores, which is its default.
    let worker = ["-m", "celery", "-A", "tasks", "worker", "-Ofair", "--loglevel", "WARNING"];
    let worker = Process::start("celery", &mut command(&worker), directory.path())?;
    let watched = Watched { with_children: true, ..worker.watched() };
    // It is ready when it answers the first tasks, which do not count.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let meter = Meter::start([watched].into_iter().chain(services.redis_process.clone()).collect())?;
    let said = output(&mut command(&["measure.py", &TASKS.to_string(), &SINGLE.to_string()]), "").await?;
    let used = meter.stop();
    worker.stop().await?;
    let measured: Measured = serde_json::from_str(&said)?;
    let samples = Samples::new()?;
    for seconds in measured.latencies {
        samples.add(Duration::from_secs_f64(seconds.max(0.0)));
    }
    report.add(Row::new("celery.single", "Celery: call to start, unloaded").samples(&samples))?;
    let row = Row::new("celery.throughput", "Celery: tasks that do nothing").figure("rate", measured.rate, "tasks/s");
    report.add(row.used(used).note("-Ofair, as many processes as cores; nothing is durable"))
}
