//! The session over channels, on simulated time: several servers, the lease, and how fast results go through.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use async_trait::async_trait;
use futures::{StreamExt as _, future};
use sprout_proto::{
    task::{ApplianceRef, CloneStep, PingStep, StepInput, Tags, step_input::Step},
    worker::{
        Ack, Assign, ContainerSettings, Heard, ProviderAccess, Revoke, SessionRequest, SessionResponse, TaskRef,
        Welcome, provider_access::Settings, session_request::Message as Says, session_response::Message as Hears,
    },
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::*;
use crate::{
    Drivers,
    link::Link,
    testing::{FakeDriver, Fault},
};

type Answer = Result<SessionResponse, Status>;

/// What a server does with those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Serves,
    Unavailable,
    Silent,
}

/// Some servers in memory.
struct Lab {
    moods: Mutex<BTreeMap<String, Mood>>,
    tries: Mutex<Vec<String>>,
    sessions: mpsc::Sender<Session>,
}

struct Session {
    server: String,
    hello: Hello,
    says: mpsc::Receiver<SessionRequest>,
    answers: mpsc::Sender<Answer>,
}

struct Wire {
    name: String,
    lab: Arc<Lab>,
}

#[async_trait]
impl Connector for Wire {
    fn server(&self) -> &str {
        &self.name
    }

    async fn connect(&self, hello: Hello) -> Result<Link, Status> {
        self.lab.tries.lock().unwrap().push(self.name.clone());
        let mood = self.lab.moods.lock().unwrap().get(&self.name).copied();
        match mood.unwrap_or(Mood::Serves) {
            Mood::Unavailable => return Err(Status::unavailable("the database is away")),
            Mood::Silent => future::pending().await,
            Mood::Serves => {}
        }
        let (says, said) = mpsc::channel(64);
        let (answers, hears) = mpsc::channel(256);
        let session = Session { server: self.name.clone(), hello, says: said, answers };
        self.lab.sessions.send(session).await.unwrap();
        Ok(Link { says, hears: ReceiverStream::new(hears).boxed() })
    }
}

struct Bench {
    lab: Arc<Lab>,
    driver: Arc<FakeDriver>,
    sessions: mpsc::Receiver<Session>,
    leave: watch::Sender<Leave>,
    worker: JoinHandle<Result<(), Error>>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

fn bench(servers: &[&str]) -> Bench {
    let (sessions, receiver) = mpsc::channel(4);
    let lab = Arc::new(Lab { moods: Mutex::default(), tries: Mutex::default(), sessions });
    let driver = Arc::new(FakeDriver::default());
    let shared = Arc::clone(&driver);
    let options = crate::Options {
        servers: Vec::new(),
        ca: None,
        id: "lab-1".into(),
        identity: crate::Identity::Credential("good".to_owned().into()),
        labels: HashMap::new(),
        slots: 3,
        kill_slots: 1,
        drivers: Drivers::new(["container"], move |_| Ok(Arc::clone(&shared) as Arc<dyn crate::driver::Driver>)),
    };
    let wires = servers.iter().map(|name| Wire { name: (*name).to_owned(), lab: Arc::clone(&lab) });
    let wires = wires.map(|wire| Box::new(wire) as Box<dyn Connector>).collect();
    let (leave, level) = watch::channel(Leave::Stay);
    let worker = tokio::spawn(crate::run_over(options, wires, level));
    Bench { lab, driver, sessions: receiver, leave, worker }
}

impl Bench {
    async fn welcomed(&mut self) -> Session {
        let session = timeout(Duration::from_secs(60), self.sessions.recv()).await.expect("no session").unwrap();
        session.welcome(&[]).await;
        session
    }

    fn mood(&self, server: &str, mood: Mood) {
        self.lab.moods.lock().unwrap().insert(server.to_owned(), mood);
    }
}

impl Session {
    async fn say(&self, message: Hears) {
        self.answers.send(Ok(SessionResponse { message: Some(message) })).await.unwrap();
    }

    async fn welcome(&self, revoked: &[TaskRef]) {
        let lease = Some(Duration::from_secs(10).try_into().unwrap());
        self.say(Hears::Welcome(Welcome { lease, revoked: revoked.to_vec(), ..Default::default() })).await;
    }

    async fn assign(&self, task_id: u64, step: Step) {
        self.say(Hears::Assign(assign(task_id, step))).await;
    }

    /// Answers heartbeats for so long; how many results came meanwhile.
    async fn listen(&mut self, length: Duration, hears: bool) -> usize {
        let (until, mut results) = (Instant::now() + length, 0);
        while let Ok(said) = tokio::time::timeout_at(until, self.says.recv()).await {
            match said.expect("the worker ended the session").message.unwrap() {
                Says::Heartbeat(heartbeat) if hears => self.say(Hears::Heard(Heard { number: heartbeat.number })).await,
                Says::Done(_) => results += 1,
                _ => {}
            }
        }
        results
    }
}

fn task(task_id: u64) -> TaskRef {
    TaskRef { task_id, epoch: 1 }
}

fn assign(task_id: u64, step: Step) -> Assign {
    let settings = Some(Settings::Container(ContainerSettings::default()));
    Assign {
        task: Some(task(task_id)),
        input: Some(StepInput { step: Some(step) }),
        provider: Some(ProviderAccess { key: "lab".into(), settings }),
        deadline: Some(Duration::from_secs(3_600).try_into().unwrap()),
    }
}

fn clone_of(appliance_id: u64) -> Step {
    let tags = Tags { installation_id: "here".into(), appliance_id, epoch: 1 };
    let appliance =
        Some(ApplianceRef { name: format!("sprout-{appliance_id}"), tags: Some(tags), ..ApplianceRef::default() });
    Step::Clone(CloneStep { appliance, template: "t".into(), ..Default::default() })
}

#[tokio::test(start_paused = true)]
async fn a_killed_server_costs_a_moment() {
    for _ in 0..20 {
        let mut bench = bench(&["a", "b", "c"]);
        let first = bench.welcomed().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let lost = first.server.clone();
        bench.mood(&lost, Mood::Unavailable);
        drop(first);
        let start = Instant::now();
        let second = bench.welcomed().await;
        assert_ne!(second.server, lost);
        assert!(start.elapsed() <= Duration::from_millis(60), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_one_server_that_serves_is_found() {
    for mood in [Mood::Unavailable, Mood::Silent] {
        let mut bench = bench(&["a", "b", "c"]);
        bench.mood("a", mood);
        bench.mood("c", mood);
        assert_eq!(bench.welcomed().await.server, "b");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_all_away_are_not_besieged() {
    let bench = bench(&["a", "b"]);
    bench.mood("a", Mood::Unavailable);
    bench.mood("b", Mood::Unavailable);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tries = bench.lab.tries.lock().unwrap().len();
    assert!((20..60).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn changes_wait_until_the_worker_is_heard() {
    let mut bench = bench(&["a"]);
    let mut session = bench.welcomed().await;
    // Heard: the lease goes on and on.
    session.listen(Duration::from_secs(60), true).await;
    session.assign(1, clone_of(1)).await;
    assert_eq!(session.listen(Duration::from_secs(1), true).await, 1);
    // Not heard, as while the database is away: looking goes on, changing does not.
    session.listen(Duration::from_secs(12), false).await;
    session.assign(2, clone_of(2)).await;
    session.assign(3, clone_of(3)).await;
    session.assign(4, Step::Ping(PingStep {})).await;
    assert_eq!(session.listen(Duration::from_secs(30), false).await, 1, "a ping changes nothing");
    assert_eq!((bench.driver.count("create"), bench.driver.count("find")), (1, 3));
    // Heard again, one of them no longer its own.
    session.say(Hears::Revoke(Revoke { task: Some(task(2)) })).await;
    assert_eq!(session.listen(Duration::from_secs(5), true).await, 1);
    assert_eq!(bench.driver.count("create"), 2);
    assert!(bench.driver.get("sprout-3").is_some() && bench.driver.get("sprout-2").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_says_what_runs_and_goes_on_with_what_is_left() {
    let mut bench = bench(&["a", "b"]);
    let told = Arc::new(Notify::new());
    bench.driver.script("find", [Fault::Waits(Arc::clone(&told)), Fault::Waits(Arc::clone(&told))]);
    let session = bench.welcomed().await;
    session.assign(1, clone_of(1)).await;
    session.assign(2, clone_of(2)).await;
    bench.driver.called("find", 2).await;
    bench.mood("a", Mood::Unavailable);
    bench.mood("b", Mood::Unavailable);
    drop(session);
    tokio::time::sleep(Duration::from_secs(20)).await;
    told.notify_waiters();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(bench.driver.count("create"), 0, "the lease is over");
    bench.mood("a", Mood::Serves);
    let mut session = bench.sessions.recv().await.unwrap();
    assert_eq!(session.hello.running, [task(1), task(2)]);
    session.welcome(&[task(1)]).await;
    assert_eq!(session.listen(Duration::from_secs(5), true).await, 1);
    assert!(bench.driver.get("sprout-2").is_some() && bench.driver.get("sprout-1").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_not_heard_leaves_nevertheless() {
    let mut bench = bench(&["a"]);
    let mut session = bench.welcomed().await;
    bench.driver.script("find", [Fault::Waits(Arc::default())]);
    session.assign(1, clone_of(1)).await;
    bench.driver.called("find", 1).await;
    bench.leave.send_replace(Leave::HandBack);
    let start = Instant::now();
    // Its end of the session stays open until it has given up hope for an acknowledgement.
    while session.says.recv().await.is_some() {}
    (&mut bench.worker).await.unwrap().unwrap();
    assert!(start.elapsed() <= Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Ten thousand assignments a second and their results go through one session many times over; the output of this test says how many.
#[tokio::test]
async fn results_go_through_quickly() {
    const TASKS: u64 = 50_000;
    let mut bench = bench(&["a"]);
    let Session { mut says, answers, .. } = bench.welcomed().await;
    let begun = std::time::Instant::now();
    let giving = {
        let answers = answers.clone();
        tokio::spawn(async move {
            for id in 0..TASKS {
                let message = Some(Hears::Assign(assign(id, Step::Ping(PingStep {}))));
                answers.send(Ok(SessionResponse { message })).await.unwrap();
            }
        })
    };
    let mut results = 0;
    while results < TASKS {
        if let Says::Done(done) = says.recv().await.unwrap().message.unwrap() {
            results += 1;
            answers.send(Ok(SessionResponse { message: Some(Hears::Ack(Ack { task: done.task })) })).await.unwrap();
        }
    }
    giving.await.unwrap();
    let took = begun.elapsed();
    println!("{TASKS} pings in {took:?}: {} per second", u128::from(TASKS) * 1_000 / took.as_millis().max(1));
    // Even this unoptimised build on a busy machine is far quicker; a linear search would be far slower.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
