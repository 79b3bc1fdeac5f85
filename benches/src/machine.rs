//! The machine that the figures are of: without it they say nothing.

use std::{
    fmt,
    fs::{self, File},
    io::Write as _,
    process::Command,
    time::Instant,
};

use anyhow::Result;
use serde::Serialize;

/// A machine, and what runs on it.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    /// Median time to make one appended page durable, where the database is.
    fdatasync_ms: f64,
    postgres: String,
    redis: String,
    revision: String,
}

impl Machine {
    /// Looks.
    pub(crate) fn look() -> Result<Self> {
        let line = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
            value.trim_start_matches([' ', '\t', ':']).to_owned()
        };
        let kib: f64 = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
        Ok(Self {
            processor: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib / 1024.0 / 1024.0).round(),
            kernel: version(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()),
            fdatasync_ms: fdatasync_ms()?,
            postgres: version(&says("psql", &["--version"])),
            redis: version(&says("redis-server", &["--version"])),
            revision: says("git", &["describe", "--always", "--dirty"]),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, fdatasync_ms, postgres, redis, revision } = self;
        writeln!(f, "{cores} cores ({processor}), {memory_gib} GiB, Linux {kernel}, fdatasync {fdatasync_ms:.2} ms,")?;
        writeln!(f, "PostgreSQL {postgres}, Redis {redis}, Sprout {revision};")?;
        write!(f, "load generator, server, workers, provider and databases all on it.")
    }
}

/// The first number with a point in it.
fn version(text: &str) -> String {
    let numbers = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    numbers.map(|word| word.trim_matches('.')).find(|word| word.contains('.')).unwrap_or_default().to_owned()
}

/// First line of what a program says; empty if it is not there.
fn says(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned()
}

fn fdatasync_ms() -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("probe"))?;
    let mut took = Vec::new();
    for _ in 0..100 {
        file.write_all(&[1; 8192])?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}
