//! Where the time goes: processor seconds of each process, as the kernel counts them (proc(5), `stat`).

use std::{fs, time::Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// The kernel counts in hundredths of a second (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What one process used.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Used {
    /// Which.
    pub(crate) process: String,
    /// Mean number of cores it kept busy.
    pub(crate) cores: f64,
    /// Processor seconds.
    pub(crate) seconds: f64,
}

/// Processes to look at: name, id, and whether their children count as theirs.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) with_children: bool,
}

/// Runs from its making on.
pub(crate) struct Meter {
    began: Instant,
    processes: Vec<(Watched, u64)>,
}

impl Meter {
    pub(crate) fn start(processes: Vec<Watched>) -> Result<Self> {
        let own = Watched { name: "load generator".into(), pid: std::process::id(), with_children: false };
        let all = processes.into_iter().chain([own]);
        let processes = all.map(|one| ticks(&one).map(|ticks| (one, ticks))).collect::<Result<_>>()?;
        Ok(Self { began: Instant::now(), processes })
    }

    /// What was used since. A process that has ended meanwhile is left out.
    #[allow(clippy::cast_precision_loss)] // ticks of minutes
    pub(crate) fn stop(self) -> Vec<Used> {
        let wall = self.began.elapsed().as_secs_f64();
        let used = |(one, before): (Watched, u64)| {
            let seconds = ticks(&one).ok()?.saturating_sub(before) as f64 / TICKS_PER_SECOND;
            Some(Used { process: one.name, cores: seconds / wall, seconds })
        };
        self.processes.into_iter().filter_map(used).collect()
    }
}

/// Resident memory in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// User and system time so far. Of a process with children: theirs too, those that have ended among them.
fn ticks(of: &Watched) -> Result<u64> {
    let own = stat(of.pid)?;
    if !of.with_children {
        return Ok(own.time);
    }
    let living = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = living.filter_map(|pid| stat(pid).ok()).filter(|stat| stat.parent == of.pid);
    Ok(own.time + own.of_ended_children + children.map(|child| child.time).sum::<u64>())
}

struct Stat {
    parent: u32,
    time: u64,
    of_ended_children: u64,
}

/// Fields 4 and 14 to 17, counted from the end of the name, which may hold anything.
fn stat(pid: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").context("a stat line")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let number = |n: usize| anyhow::Ok(fields.get(n - 3).context("a field")?.parse::<u64>()?);
    Ok(Stat {
        parent: u32::try_from(number(4)?)?,
        time: number(14)? + number(15)?,
        of_ended_children: number(16)? + number(17)?,
    })
}
