//! Private services that a test may kill: those of `scripts/service.sh`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::run;

/// PostgreSQL or Redis in a directory of its own.
pub struct Service {
    name: &'static str,
    directory: PathBuf,
    /// Where it is, for one that was started here: with this it ends.
    own: Option<(String, TempDir)>,
}

impl Service {
    /// One that was started in this directory, and stays.
    pub fn of(name: &'static str, directory: &Path) -> Self {
        Self { name, directory: directory.to_owned(), own: None }
    }

    /// Starts one that ends when it is dropped.
    pub async fn start(name: &'static str) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("sprout.").tempdir_in("/tmp")?; // short, for sockets live there
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?; // it may run as its own user
        let mut service = Self { name, directory: home.path().to_owned(), own: None };
        let exports = service.script("start").await?;
        let url = exports.trim().split_once('=').context("no address was printed")?.1.trim_matches('\'').to_owned();
        service.own = Some((url, home));
        Ok(service)
    }

    /// Its URL, with the password; empty if it was not started here.
    pub fn url(&self) -> &str {
        self.own.as_ref().map_or("", |(url, _)| url)
    }

    /// Sends it a signal by name; that it has ended already is as good.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = std::fs::read_to_string(self.directory.join(self.name).join(format!("{}.pid", self.name)))?;
        let kill = format!("kill -{signal} {}", pid.trim());
        Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().await?;
        Ok(())
    }

    /// Starts it again with what it has, if it does not run.
    pub async fn revive(&self) -> Result<()> {
        self.script("revive").await.map(drop)
    }

    async fn script(&self, action: &str) -> Result<String> {
        let output = run(Command::new(script()).args([action, self.name]).arg(&self.directory), "").await?;
        ensure!(output.status.success(), "{action} {}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.own.is_some() {
            let stopped = std::process::Command::new(script()).args(["stop", self.name]).arg(&self.directory).status();
            if !stopped.is_ok_and(|status| status.success()) {
                println!("{} in {} was left behind", self.name, self.directory.display());
            }
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/service.sh")
}
