//! Processes that are measured: started with a log file, ended by signal.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::usage::Watched;

/// An orderly end takes less.
const END: Duration = Duration::from_secs(20);

/// A running process; killed when dropped.
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    child: Child,
}

impl Process {
    /// Starts a command; what it prints goes to `NAME.log` in the directory.
    pub(crate) fn start(name: &str, command: &mut Command, directory: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(directory.join(format!("{name}.log")))?;
        let error = log.try_clone()?;
        command.stdin(Stdio::null()).stdout(log).stderr(error).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let pid = child.id().context("it ended at once")?;
        Ok(Self { name: name.to_owned(), pid, child })
    }

    /// For the meter.
    pub(crate) fn watched(&self) -> Watched {
        Watched { name: self.name.clone(), pid: self.pid, with_children: false }
    }

    /// Ends it with SIGTERM, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        // The shell's own kill: a minimal machine has no other.
        Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid)]).status().await?;
        timeout(END, self.child.wait()).await.with_context(|| format!("{} did not end", self.name))??;
        Ok(())
    }

    /// Ends it with SIGKILL.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Runs a command to its end and returns what it printed.
pub(crate) async fn output(command: &mut Command, input: &str) -> Result<String> {
    let output = sprout_e2e::run(command, input).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or("it said nothing");
    ensure!(output.status.success(), "{} failed: {last}", command.as_std().get_program().display());
    Ok(String::from_utf8(output.stdout)?)
}

/// A port of 127.0.0.1 that nobody listens on, below those that outgoing connections are given (ip(7)). Each `purpose`, 0 to 9, has its own, for a port
/// may be asked for before the one asked for last is in use.
pub(crate) fn free_port(purpose: u16) -> Result<u16> {
    let start = u16::try_from(std::process::id() % 10_000)?;
    let mut candidates = (0..1000).map(|n| 20_000 + (start / 10 + n) % 1000 * 10 + purpose);
    let free = candidates.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.context("no port is free between 20000 and 30000")
}
