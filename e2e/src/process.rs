//! Processes of a test: found, started, watched, killed.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    sync::Mutex,
    task::JoinHandle,
};

/// A binary of this build.
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let built = own.ancestors().skip(1).map(|dir| dir.join(name)).find(|path| path.is_file());
    built.with_context(|| format!("{name} is not built; run `cargo build --workspace --bins`"))
}

/// Runs `sprout-server` with a configuration to the end of a command; returns what it printed. A database that keeps it waiting, on a machine
/// that has much to do, is asked again.
pub(crate) async fn admin(config: &Path, arguments: &[&str], input: &str) -> Result<String> {
    let mut tries = 5;
    loop {
        let mut command = Command::new(binary("sprout-server")?);
        command.args(arguments).arg("--config").arg(config);
        let output = run(&mut command, input).await?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let error = String::from_utf8_lossy(&output.stderr);
        tries -= 1;
        ensure!(tries > 0 && error.contains("PostgreSQL does not answer"), "{arguments:?}: {error}");
    }
}

/// Runs a program to its end, with this on its standard input.
pub async fn run(command: &mut Command, input: &str) -> Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut stdin = child.stdin.take().context("standard input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    Ok(child.wait_with_output().await?)
}

/// Ports that stay free while those who listen there are down: not of those that outgoing connections are given (32768 and up, ip(7)), among
/// them those that look for that very server. Tests that run at the same time begin to look at different places.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    let start = u16::try_from(std::process::id().wrapping_add(calls).wrapping_mul(16) % 10_000)?;
    let candidates = (0..10_000).map(|n| 20_000 + (start + n) % 10_000);
    let free: Vec<_> = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(count).collect();
    ensure!(free.len() == count, "no ports are free between 20000 and 30000");
    Ok(free)
}

/// Moves logs to where they survive the test.
pub(crate) fn keep_logs(directory: &Path) -> String {
    let kept = std::env::temp_dir().join(format!("sprout-failed-{}", std::process::id()));
    let _ = std::fs::create_dir_all(&kept);
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_file() {
            let _ = std::fs::copy(entry.path(), kept.join(entry.file_name()));
        }
    }
    kept.display().to_string()
}

/// A process that is started again whenever it was killed with SIGKILL, as an init system would do.
pub struct Supervised {
    name: String,
    child: Arc<Mutex<Option<Child>>>,
    stopping: Arc<AtomicBool>,
    kills: Arc<AtomicU32>,
    watch: JoinHandle<Result<()>>,
}

impl Supervised {
    /// Starts it; what it prints goes to `NAME.log` in the directory.
    pub fn start(name: &str, directory: &Path, make: impl Fn() -> Command + Send + 'static) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let to = log.clone();
        let spawn = move || -> Result<Child> {
            let out = File::options().create(true).append(true).open(&to)?;
            let error = out.try_clone()?;
            Ok(make().stdin(Stdio::null()).stdout(out).stderr(error).kill_on_drop(true).spawn()?)
        };
        let child = Arc::new(Mutex::new(Some(spawn()?)));
        let stopping = Arc::new(AtomicBool::new(false));
        let kills = Arc::new(AtomicU32::new(0));
        let watch =
            tokio::spawn(supervise(name.to_owned(), child.clone(), stopping.clone(), kills.clone(), log, spawn));
        Ok(Self { name: name.to_owned(), child, stopping, kills, watch })
    }

    /// How often it was killed with SIGKILL so far.
    pub fn kills(&self) -> u32 {
        self.kills.load(Ordering::SeqCst)
    }

    /// Whether it ended otherwise than by SIGKILL, and was not started again.
    pub fn ended(&self) -> bool {
        self.watch.is_finished()
    }

    /// Its process id, while it runs.
    pub async fn pid(&self) -> Option<u32> {
        self.child.lock().await.as_ref().and_then(Child::id)
    }

    /// Sends it a signal by name, e.g. "KILL".
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.pid().await.with_context(|| format!("{} does not run", self.name))?;
        // The shell's own kill: a minimal machine has no other.
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().await?;
        ensure!(status.success(), "kill -{signal} {pid} failed");
        Ok(())
    }

    /// Lets it end with SIGTERM; it must exit with 0.
    pub async fn stop(self) -> Result<()> {
        self.stopping.store(true, Ordering::SeqCst);
        self.signal("TERM").await?;
        self.watch.await?
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

async fn supervise(
    name: String,
    child: Arc<Mutex<Option<Child>>>,
    stopping: Arc<AtomicBool>,
    kills: Arc<AtomicU32>,
    log: PathBuf,
    spawn: impl Fn() -> Result<Child>,
) -> Result<()> {
    let mut restarts = 3;
    loop {
        let status = loop {
            if let Some(status) = child.lock().await.as_mut().context("no child")?.try_wait()? {
                break status;
            }
            // The child is shared with whoever signals it, so nobody may wait for it holding the lock.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        if stopping.load(Ordering::SeqCst) {
            ensure!(status.success(), "{name} ended with {status} when asked to stop");
            return Ok(());
        }
        if status.signal() == Some(9) {
            kills.fetch_add(1, Ordering::SeqCst);
        } else {
            // An init system starts again what gave up, too (a database that did not answer, a port not free yet); but not for ever, and the log is shown.
            println!("{name} ended by itself with {status}:\n{}", tail(&log));
            ensure!(restarts > 0, "{name} ended by itself again and again");
            restarts -= 1;
        }
        *child.lock().await = Some(spawn()?);
    }
}
