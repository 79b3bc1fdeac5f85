//! A process that is killed, frozen, thawed and started again, when a test wants it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{Duration, timeout},
};

/// One of ours.
pub struct Program {
    /// For its log.
    pub name: String,
    log: PathBuf,
    make: Box<dyn Fn() -> Command + Send + Sync>,
    child: Mutex<Option<Child>>,
}

impl Program {
    /// Starts it; what it prints is appended to `NAME.log` in the directory.
    pub async fn start(
        name: &str,
        directory: &Path,
        make: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Result<Arc<Self>> {
        let log = directory.join(format!("{name}.log"));
        let program = Self { name: name.to_owned(), log, make: Box::new(make), child: Mutex::new(None) };
        program.ensure_running().await?;
        Ok(Arc::new(program))
    }

    /// Starts it unless it runs, and lets it go on if it was frozen.
    pub async fn ensure_running(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        if let Some(running) = child.as_mut()
            && running.try_wait()?.is_none()
        {
            return self.signal_to(running, "CONT").await;
        }
        let out = File::options().create(true).append(true).open(&self.log)?;
        let error = out.try_clone()?;
        let mut command = (self.make)();
        *child = Some(command.stdin(Stdio::null()).stdout(out).stderr(error).kill_on_drop(true).spawn()?);
        Ok(())
    }

    /// Sends a signal by name; nothing if it does not run.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let mut child = self.child.lock().await;
        let Some(running) = child.as_mut() else { return Ok(()) };
        if running.try_wait()?.is_some() { Ok(()) } else { self.signal_to(running, signal).await }
    }

    async fn signal_to(&self, child: &Child, signal: &str) -> Result<()> {
        let Some(pid) = child.id() else { return Ok(()) };
        let sent =
            Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).stderr(Stdio::null()).status().await?;
        ensure!(sent.success() || child.id().is_none(), "kill -{signal} {} failed", self.name);
        Ok(())
    }

    /// Kills it and waits until it is dead.
    pub async fn kill(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        if let Some(mut running) = child.take() {
            running.kill().await?;
        }
        Ok(())
    }

    /// Lets it end in an orderly way.
    pub async fn stop(&self) -> Result<()> {
        self.ensure_running().await?;
        self.signal("TERM").await?;
        let mut child = self.child.lock().await;
        let Some(mut running) = child.take() else { return Ok(()) };
        let status = timeout(Duration::from_secs(30), running.wait()).await;
        let status = status.with_context(|| format!("{} did not end within 30 s of SIGTERM", self.name))??;
        ensure!(status.success(), "{} ended with {status} when asked to stop", self.name);
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self, within: Duration) -> Result<ExitStatus> {
        let mut child = self.child.lock().await;
        let mut running = child.take().with_context(|| format!("{} does not run", self.name))?;
        let status = timeout(within, running.wait()).await;
        Ok(status.with_context(|| format!("{} did not end within {within:?}", self.name))??)
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }
}
