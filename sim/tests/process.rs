//! The simulator as a process: what it keeps when it is killed, what its faults do to a connection, what it can carry.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sprout_proto::{
    provider::{self as pb, driver_service_client::DriverServiceClient},
    sim::{self, FaultKind, JournalEntry, JournalKind, sim_service_client::SimServiceClient},
    task::Tags,
};
use tonic::{Code, Request, transport::Channel};

/// A process that is killed at the end.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

type Driver = DriverServiceClient<Channel>;
type Steering = SimServiceClient<Channel>;

async fn start(state: &Path, more: &[&str]) -> (Process, Driver, Steering) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sprout-sim"))
        .args(["--listen", "127.0.0.1:0", "--appliance-port", "0", "--state"])
        .arg(state)
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut endpoint = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut endpoint).unwrap();
    let channel = Channel::from_shared(endpoint.trim().to_owned()).unwrap().connect().await.unwrap();
    (Process(child), Driver::new(channel.clone()), Steering::new(channel))
}

fn tags() -> Tags {
    Tags { installation_id: "here".into(), appliance_id: 7, epoch: 1 }
}

fn create(name: &str) -> pb::CreateInstanceRequest {
    pb::CreateInstanceRequest {
        template: "sim-1.0.0".into(),
        name: name.into(),
        tags: Some(tags()),
        ..Default::default()
    }
}

async fn names(driver: &mut Driver) -> Vec<String> {
    let mut stream = driver.list_instances(pb::ListInstancesRequest {}).await.unwrap().into_inner();
    let mut names = Vec::new();
    while let Some(some) = stream.message().await.unwrap() {
        names.extend(some.instances.into_iter().map(|instance| instance.name));
    }
    names
}

async fn journal(steering: &mut Steering) -> Vec<JournalEntry> {
    let mut stream = steering.journal(sim::JournalRequest { after: 0 }).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(some) = stream.message().await.unwrap() {
        entries.extend(some.entries);
    }
    entries
}

fn fault(kind: FaultKind) -> sim::Fault {
    sim::Fault {
        kind: kind.into(),
        probability: 1.0,
        operations: vec!["create".into()],
        times: 1,
        ..Default::default()
    }
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let state = tempfile::tempdir().unwrap();
    let mut created = BTreeSet::new();
    for life in 0..4 {
        let (process, mut driver, mut steering) = start(state.path(), &["--clone-latency", "1"]).await;
        assert_eq!(names(&mut driver).await.into_iter().collect::<BTreeSet<_>>(), created, "life {life}");
        let faults = steering.list_faults(sim::ListFaultsRequest {}).await.unwrap().into_inner().faults;
        assert_eq!(faults.len(), usize::from(life > 0), "faults are kept, too");
        let never = sim::Fault { name_prefix: "no such".into(), ..fault(FaultKind::Lost) };
        steering.set_faults(sim::SetFaultsRequest { faults: vec![never] }).await.unwrap();
        for n in 0..20 {
            let name = format!("vm-{life}-{n}");
            driver.create_instance(create(&name)).await.unwrap();
            created.insert(name);
        }
        let entries = journal(&mut steering).await;
        assert!(entries.iter().enumerate().all(|(n, entry)| entry.number == n as u64 + 1), "nothing is missing");
        drop(process); // SIGKILL
    }
    let (_process, mut driver, mut steering) = start(state.path(), &[]).await;
    let begun = |entry: &&JournalEntry| entry.kind() == JournalKind::Creating;
    let entries = journal(&mut steering).await;
    assert_eq!(entries.iter().filter(begun).map(|entry| entry.name.clone()).collect::<BTreeSet<_>>(), created);
    assert!(entries.iter().filter(begun).all(|entry| entry.tags == Some(tags()) && entry.creating == 1));
    steering.reset(sim::ResetRequest {}).await.unwrap();
    assert_eq!(names(&mut driver).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_state_has_one_simulator() {
    let state = tempfile::tempdir().unwrap();
    let (_process, ..) = start(state.path(), &[]).await;
    let second = Command::new(env!("CARGO_BIN_EXE_sprout-sim"))
        .args(["--listen", "127.0.0.1:0", "--appliance-port", "0", "--state"])
        .arg(state.path())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains("in use by another simulator"), "{said}");
}

#[tokio::test]
async fn what_was_half_written_was_not_answered() {
    let state = tempfile::tempdir().unwrap();
    let (process, mut driver, _) = start(state.path(), &[]).await;
    driver.create_instance(create("whole")).await.unwrap();
    drop(process);
    let path = state.path().join("journal.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"{\"number\":99,\"at\":1,\"chan");
    std::fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let (_process, mut driver, mut steering) = start(state.path(), &[]).await;
        assert_eq!(names(&mut driver).await, ["whole"]);
        assert!(journal(&mut steering).await.iter().all(|entry| entry.number < 99));
    }
}

#[tokio::test]
async fn answers_that_never_come_and_connections_that_are_cut() {
    let state = tempfile::tempdir().unwrap();
    let (_process, mut driver, mut steering) = start(state.path(), &["--clone-latency", "1"]).await;
    let faults = vec![fault(FaultKind::NoAnswer)];
    steering.set_faults(sim::SetFaultsRequest { faults }).await.unwrap();
    let mut request = Request::new(create("unanswered"));
    request.set_timeout(Duration::from_millis(300));
    driver.create_instance(request).await.unwrap_err();

    steering.set_faults(sim::SetFaultsRequest { faults: vec![fault(FaultKind::Disconnect)] }).await.unwrap();
    // Whatever else is on the connection ends with it.
    let mut other = driver.clone();
    let mut slow = create("bystander");
    slow.template = "no such".into();
    let (cut, ()) = tokio::join!(driver.create_instance(create("cut")), async {
        let _either = other.find_instance(pb::FindInstanceRequest { name: "x".into() }).await;
    });
    let cut = cut.unwrap_err();
    assert!(matches!(cut.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal), "{cut:?}");
    assert_eq!(driver.create_instance(slow).await.unwrap_err().code(), Code::NotFound, "connected anew");
    assert_eq!(names(&mut driver).await, ["unanswered", "cut"], "both were made");
    let happened = journal(&mut steering).await.into_iter().filter(|entry| entry.kind() == JournalKind::Fault);
    assert_eq!(happened.map(|entry| entry.fault()).collect::<Vec<_>>(), [FaultKind::NoAnswer, FaultKind::Disconnect]);
}

#[tokio::test]
async fn faults_that_cannot_be_are_refused() {
    let state = tempfile::tempdir().unwrap();
    let (_process, _, mut steering) = start(state.path(), &[]).await;
    for wrong in [
        sim::Fault { probability: 2.0, ..fault(FaultKind::Error) },
        sim::Fault { operations: vec!["craete".into()], ..fault(FaultKind::Error) },
        fault(FaultKind::Crash),
        fault(FaultKind::Unspecified),
    ] {
        let refused = steering.set_faults(sim::SetFaultsRequest { faults: vec![wrong] }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
}

/// A call costs the same with many instances there: those of the last thousand take no longer than those of the first, by much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_instances_make_nothing_slower() {
    let state = tempfile::tempdir().unwrap();
    let (_process, driver, _) = start(state.path(), &["--clone-latency", "0"]).await;
    let round = async |from: u32| {
        let begun = Instant::now();
        let mut calls = tokio::task::JoinSet::new();
        for lane in 0..50 {
            let mut driver = driver.clone();
            calls.spawn(async move {
                for n in 0..20 {
                    let name = format!("vm-{}", from + lane * 20 + n);
                    driver.create_instance(create(&name)).await.unwrap();
                    driver.find_instance(pb::FindInstanceRequest { name }).await.unwrap();
                }
            });
        }
        calls.join_all().await;
        begun.elapsed()
    };
    let first = round(0).await;
    for n in 1..4 {
        round(n * 1000).await;
    }
    let last = round(4000).await;
    assert!(last < first * 4 + Duration::from_secs(1), "{first:?} with none, {last:?} with 4,000");
    assert_eq!(names(&mut driver.clone()).await.len(), 5_000);
}
