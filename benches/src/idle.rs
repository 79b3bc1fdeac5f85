//! What the all-in-one costs while nobody wants anything.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// Idle cost.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds to look at it, after ten to settle.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("sprout.yaml");
    fs::write(&config, format!("server: {{listen: '127.0.0.1:0', data_dir: '{}'}}\n", directory.path().display()))?;
    let log = fs::File::create(directory.path().join("log"))?;
    let binary = std::env::current_exe()?.with_file_name("sprout");
    let process = Command::new(binary).arg("--config").arg(&config).stderr(log).kill_on_drop(true).spawn()?;
    let proc = format!("/proc/{}", process.id().context("it ended at once")?);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = ticks(Path::new(&proc))?;
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let used = ticks(Path::new(&proc))? - before;
    let memory = resident_mib(Path::new(&proc))?;
    // The kernel counts in hundredths of a second (USER_HZ, proc(5)).
    #[allow(clippy::cast_precision_loss)] // small numbers
    let percent = used as f64 / arguments.seconds as f64;
    println!("all-in-one, idle for {} s: {percent:.2} % of one core, {memory} MiB resident", arguments.seconds);
    Ok(())
}

/// User and system time so far: fields 14 and 15 of proc(5) `stat`, counted from the end of the name.
fn ticks(proc: &Path) -> Result<u64> {
    let stat = fs::read_to_string(proc.join("stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || anyhow::Ok(fields.next().context("a field")?.parse::<u64>()?);
    Ok(next()? + next()?)
}

fn resident_mib(proc: &Path) -> Result<u64> {
    let status = fs::read_to_string(proc.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
