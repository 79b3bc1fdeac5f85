//! A worker as a process of its own that gets real signals: those to leave, and the one that stops it (SIGSTOP) while a step looks
//! at the provider, until its lease is over.
//!
//! The worker is this program, started again to run only [`victim`] or [`leaver`]; files say what it does, and when it may go on.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sprout_proto::{
    task::CloneStep,
    worker::{Heard, Revoke},
};
use tokio::sync::Notify;

use super::*;
use crate::testing::Fault;

const ADDRESS: &str = "SPROUT_TEST_PROCESS_ADDRESS";
const DIR: &str = "SPROUT_TEST_PROCESS_DIR";
const LEASE: Duration = Duration::from_millis(800);

/// Run by the other tests, in a process of its own: a worker whose first look takes until it is told.
#[tokio::test]
#[ignore = "a process for the tests beside it"]
async fn victim() {
    let (Ok(address), Ok(dir)) = (std::env::var(ADDRESS), std::env::var(DIR)) else { return };
    let (driver, _leave, worker) = worker(address.parse().unwrap(), "good", false);
    let told = Arc::new(Notify::new());
    driver.script("find", [Fault::Waits(Arc::clone(&told))]);
    driver.called("find", 1).await;
    std::fs::write(Path::new(&dir).join("looks"), "").unwrap();
    there(&Path::new(&dir).join("go")).await;
    told.notify_one();
    driver.called("create", 1).await;
    std::fs::write(Path::new(&dir).join("creates"), "").unwrap();
    worker.await.unwrap().unwrap();
}

/// The same: a worker that leaves by signals, whose provider hangs when it is checked or clones.
#[tokio::test]
#[ignore = "a process for the tests beside it"]
async fn leaver() {
    let (Ok(address), Ok(dir)) = (std::env::var(ADDRESS), std::env::var(DIR)) else { return };
    let (driver, options) = options(address.parse().unwrap(), "good", false);
    driver.script("check", [Fault::Waits(Arc::default())]);
    driver.script("create", [Fault::Waits(Arc::default())]);
    let worker = tokio::spawn(crate::run(options, crate::leave::on_signals().unwrap()));
    for call in ["check", "create"] {
        driver.called(call, 1).await;
    }
    driver.called("find", 2).await;
    std::fs::write(Path::new(&dir).join("busy"), "").unwrap();
    worker.await.unwrap().unwrap();
}

/// Ends once the file is there.
async fn there(path: &Path) {
    while !path.exists() {
        sleep(Duration::from_millis(10)).await;
    }
}

/// A worker's process, and the server's side of it.
struct Process {
    child: Child,
    dir: tempfile::TempDir,
    session: Session,
    server: JoinHandle<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Stopped, ended or not.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.server.abort();
    }
}

impl Process {
    /// Runs one of the ignored tests above, up to its Hello.
    async fn of(test: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, mut sessions) = serve_on(listener, false, Arc::default());
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--ignored", &format!("session::tests::process::{test}")]);
        command.env(ADDRESS, address.to_string()).env(DIR, dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let session = next_session(&mut sessions).await;
        Self { child, dir, session, server }
    }

    /// A worker that looks at the provider in order to clone, stopped until its lease is over.
    async fn stopped() -> Self {
        let victim = Self::of("victim").await;
        let welcome = Welcome {
            heartbeat_interval: Some(Duration::from_millis(150).try_into().unwrap()),
            lease: Some(LEASE.try_into().unwrap()),
            ..Default::default()
        };
        victim.session.say(Hears::Welcome(welcome)).await;
        victim.session.assign(1, clone()).await;
        within(there(&victim.file("looks"))).await;
        victim.signal("STOP");
        sleep(LEASE * 2).await;
        std::fs::write(victim.file("go"), "").unwrap();
        victim.signal("CONT");
        victim
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends once the step waits for a lease. No heartbeat is answered until then.
    async fn waits(&mut self) {
        loop {
            match within(self.session.says.message()).await.unwrap().expect("the worker left").message {
                Some(Says::Progress(progress)) if progress.status.contains("waiting for the server") => return,
                Some(Says::Done(done)) => panic!("it went on without a lease: {done:?}"),
                _ => {}
            }
        }
    }

    /// The next result; heartbeats are answered.
    async fn done(&mut self) -> Done {
        loop {
            match within(self.session.says.message()).await.unwrap().expect("the worker left").message {
                Some(Says::Heartbeat(heartbeat)) => {
                    self.session.say(Hears::Heard(Heard { number: heartbeat.number })).await;
                }
                Some(Says::Done(done)) => return done,
                _ => {}
            }
        }
    }
}

fn clone() -> Step {
    let appliance = ApplianceRef { name: "sprout-7".into(), tags: Some(tags()), ..ApplianceRef::default() };
    Step::Clone(CloneStep { appliance: Some(appliance), template: "t".into(), ..Default::default() })
}

#[tokio::test]
async fn signals_make_a_worker_leave_sooner_and_sooner() {
    let mut leaver = Process::of("leaver").await;
    leaver.session.say(Hears::Welcome(Welcome::default())).await;
    for (id, step) in [(1, wait()), (2, check()), (3, clone())] {
        leaver.session.assign(id, step).await;
    }
    within(there(&leaver.file("busy"))).await;
    let cancelled = |id| (Some(task(id)), Some(StepErrorReason::Cancelled));
    let mut handed_back = Vec::new();
    leaver.signal("TERM");
    assert!(matches!(leaver.session.next_but_progress().await, Says::Leaving(_)), "said first");
    // SIGTERM: the wait. SIGINT: what can be repeated. SIGINT: the clone, too.
    for signal in [None, Some("INT"), Some("INT")] {
        signal.inspect(|signal| leaver.signal(signal));
        let begun = std::time::Instant::now();
        let done = leaver.session.done().await;
        handed_back.push((done.task, failed(&done)));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
    assert_eq!(handed_back, [cancelled(1), cancelled(2), cancelled(3)]);
    // Nothing was acknowledged, and now it does not even wait for that.
    leaver.signal("INT");
    let ended = async {
        loop {
            match leaver.child.try_wait().unwrap() {
                Some(status) => return status,
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    assert!(within(ended).await.success());
}

#[tokio::test]
async fn a_stopped_worker_begins_nothing_that_was_given_to_others() {
    let mut victim = Process::stopped().await;
    victim.waits().await;
    victim.session.say(Hears::Revoke(Revoke { task: Some(task(1)) })).await;
    victim.session.assign(2, check()).await;
    let done = victim.done().await;
    assert_eq!((done.task, failed(&done)), (Some(task(2)), None));
    // Heard again, twice: whatever waited for the lease has gone on by now.
    for _ in 0..2 {
        let number = victim.session.heartbeat().await;
        victim.session.say(Hears::Heard(Heard { number })).await;
    }
    assert!(!victim.file("creates").exists());
}

#[tokio::test]
async fn a_stopped_worker_goes_on_once_it_is_heard() {
    let mut victim = Process::stopped().await;
    victim.waits().await;
    assert!(!victim.file("creates").exists());
    let done = victim.done().await;
    assert_eq!((done.task, failed(&done)), (Some(task(1)), None));
    within(there(&victim.file("creates"))).await;
}
