//! What the all-in-one costs while nobody wants anything.

use std::time::Duration;

use anyhow::Result;
use sprout_e2e::binary;
use tokio::process::Command;

use crate::{
    process::{Process, free_port},
    report::{Report, Row},
    services::Services,
    usage::{Meter, resident_mib},
};

pub(crate) async fn run(_: &Services, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("sprout.yaml");
    let (port, data) = (free_port(0)?, directory.path().display());
    std::fs::write(&config, format!("server: {{listen: '127.0.0.1:{port}', data_dir: '{data}'}}\n"))?;
    let mut command = Command::new(binary("sprout")?);
    let process = Process::start("sprout", command.arg("--config").arg(&config), directory.path())?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let meter = Meter::start(vec![process.watched()])?;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let used = meter.stop();
    let percent = used.iter().find(|one| one.process == "sprout").map_or(f64::NAN, |one| one.cores * 100.0);
    let row =
        Row::new("idle.all_in_one", "all-in-one on SQLite, empty, nothing to do").figure("CPU", percent, "% of a core");
    report.add(row.figure("memory", resident_mib(process.pid)?, "MiB"))?;
    process.stop().await
}
