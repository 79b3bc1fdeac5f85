//! The `container` driver where no engine is: what was wrong is told, in time, and nothing unknown is taken for absent.

use std::{
    collections::VecDeque,
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use sprout_worker::{
    driver::{CloneSpec, Driver, DriverError, Reason, Tags},
    drivers::container::ContainerDriver,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::container;

/// What listens on the socket, if anything.
#[derive(Clone, Copy)]
enum Listener {
    Nothing,
    NothingAnyMore,
    File,
    /// Accepts and never answers.
    Silent,
    /// Answers each request with this, and hangs up.
    Answers(&'static str),
}

/// Name, listener, and what the message must say.
const CASES: [(&str, Listener, &str); 7] = [
    ("missing_socket", Listener::Nothing, "there is no socket"),
    ("nothing_listens", Listener::NothingAnyMore, "no container engine listens"),
    ("not_a_socket", Listener::File, "is no socket"),
    ("never_answers", Listener::Silent, "did not"),
    ("hangs_up", Listener::Answers(""), "broke off"),
    ("garbage", Listener::Answers("SSH-2.0-OpenSSH_9.2\r\n"), "unlike a container engine"),
    ("not_json", Listener::Answers("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"), "unlike a container engine"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let dead = CASES.into_iter().map(|(name, listener, says)| {
        Trial::test(format!("container_dead_engine::{name}"), move || run(case(listener, says)))
    });
    let found =
        Trial::test("container_dead_engine::not_found_by_something_else", || run(not_found_by_something_else()));
    dead.chain([found]).collect()
}

/// The clock jumps to the next deadline whenever nothing is left to do, so that silence costs no time.
fn run(case: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let began = Instant::now();
    runtime.block_on(case);
    assert!(began.elapsed() < Duration::from_secs(10), "the case itself waits for nothing");
    Ok(())
}

async fn case(listener: Listener, says: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("engine.sock");
    listen(listener, &path);
    for (call, result) in calls(&driver(&path)).await {
        let error = result.expect_err(call);
        assert_eq!(error.reason, Reason::Unreachable, "{call}: {error}");
        assert!(error.message.contains(says), "{call}: {error}");
        assert!(error.message.contains(&path.display().to_string()), "{call}: {error}");
        assert!(!error.message.contains('\n'), "{call}: {error}");
    }
}

/// A web server that is no engine has no container either, and that proves nothing.
async fn not_found_by_something_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("engine.sock");
    listen(Listener::Answers("HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found"), &path);
    for (call, result) in calls(&driver(&path)).await {
        let error = result.expect_err(call);
        assert_eq!(error.reason, Reason::ProviderError, "{call}: {error}");
    }
}

fn driver(path: &Path) -> ContainerDriver {
    ContainerDriver::new(&container::settings(&format!("unix://{}", path.display()))).expect("settings")
}

/// Makes every call that needs the engine.
async fn calls(driver: &ContainerDriver) -> VecDeque<(&'static str, Result<(), DriverError>)> {
    let tags = Tags { installation_id: "i".into(), appliance_id: 1, epoch: 1 };
    let spec = CloneSpec {
        template: "a:1".into(),
        name: "aa".into(),
        tags: tags.clone(),
        memory_mib: None,
        cpus: None,
        endpoints: Vec::new(),
    };
    let mut results = VecDeque::new();
    let mut call = async |name, result: Pin<Box<dyn Future<Output = Result<(), DriverError>> + Send + '_>>| {
        results.push_back((name, result.await));
    };
    call("check", Box::pin(async { driver.check().await.map(drop) })).await;
    call("templates", Box::pin(async { driver.templates().await.map(drop) })).await;
    call("list", Box::pin(async { driver.list().await.map(drop) })).await;
    call("find", Box::pin(async { driver.find("aa").await.map(drop) })).await;
    call("create", driver.create(&spec)).await;
    call("tag", driver.tag("aa", &tags)).await;
    call("start", driver.start("aa")).await;
    call("stop", driver.stop("aa")).await;
    call("reboot", driver.reboot("aa")).await;
    call("suspend", driver.suspend("aa")).await;
    call("resume", driver.resume("aa")).await;
    call("rename", driver.rename("aa", "bb")).await;
    call("resize", driver.resize("aa", Some(64), None)).await;
    call("make_template", driver.make_template("aa", "b:1")).await;
    call("delete_template", driver.delete_template("b:1")).await;
    call("delete", driver.delete("aa", &tags)).await;
    results
}

fn listen(listener: Listener, path: &Path) {
    match listener {
        Listener::Nothing => {}
        Listener::NothingAnyMore => drop(UnixListener::bind(path).expect("bind")),
        Listener::File => std::fs::write(path, "").expect("write"),
        Listener::Silent => serve(UnixListener::bind(path).expect("bind"), None),
        Listener::Answers(answer) => serve(UnixListener::bind(path).expect("bind"), Some(answer)),
    }
}

fn serve(listener: UnixListener, answer: Option<&'static str>) {
    tokio::spawn(async move {
        let mut silent: Vec<UnixStream> = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            match answer {
                None => silent.push(stream),
                Some(answer) => {
                    let mut request = [0; 4096];
                    // Whoever has left does not wait for the answer either.
                    if stream.read(&mut request).await.is_ok() {
                        stream.write_all(answer.as_bytes()).await.ok();
                    }
                }
            }
        }
    });
}
