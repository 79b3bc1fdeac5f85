//! The session against a server in this process whose every word the test says.

mod process;

use std::{net::SocketAddr, pin::Pin};

use futures::Stream;
use sprout_proto::{
    task::{
        ApplianceRef, CheckProviderStep, Lane, StepErrorReason, StepInput, Tags, WaitPresentStep, step_input::Step,
    },
    worker::{
        Ack, Assign, Cancel, ContainerSettings, Done, Drain, JoinRequest, JoinResponse, LaneSlots, ListWorkersRequest,
        ListWorkersResponse, ProviderAccess, RenewCertificateRequest, RenewCertificateResponse, SessionRequest,
        SessionResponse, TaskRef, Undrain, Welcome, done,
        provider_access::Settings,
        session_request::Message as Says,
        session_response::Message as Hears,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig},
};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::{
    identity::tests::Joins,
    testing::{FakeDriver, instance},
};

type Answer = Result<SessionResponse, Status>;

/// Hands each session to the test.
struct Service {
    sessions: mpsc::Sender<(Streaming<SessionRequest>, mpsc::Sender<Answer>)>,
    joins: Arc<Joins>,
}

#[tonic::async_trait]
impl WorkerService for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Answer> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if request.metadata().get("authorization").is_none_or(|token| token != "Bearer good") {
            return Err(Status::unauthenticated("unknown token"));
        }
        let (answers, stream) = mpsc::channel(16);
        self.sessions.send((request.into_inner(), answers)).await.unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        self.joins.join(request.into_inner()).map(Response::new)
    }

    async fn renew_certificate(
        &self,
        request: Request<RenewCertificateRequest>,
    ) -> Result<Response<RenewCertificateResponse>, Status> {
        Ok(Response::new(self.joins.renew(request.into_inner())))
    }

    async fn create_join_token(
        &self,
        _: Request<sprout_proto::worker::CreateJoinTokenRequest>,
    ) -> Result<Response<sprout_proto::worker::CreateJoinTokenResponse>, Status> {
        Err(Status::unimplemented("CreateJoinToken"))
    }

    async fn list_join_tokens(
        &self,
        _: Request<sprout_proto::worker::ListJoinTokensRequest>,
    ) -> Result<Response<sprout_proto::worker::ListJoinTokensResponse>, Status> {
        Err(Status::unimplemented("ListJoinTokens"))
    }

    async fn revoke_join_tokens(
        &self,
        _: Request<sprout_proto::worker::RevokeJoinTokensRequest>,
    ) -> Result<Response<sprout_proto::worker::RevokeJoinTokensResponse>, Status> {
        Err(Status::unimplemented("RevokeJoinTokens"))
    }

    async fn list_workers(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn get_worker(
        &self,
        _: Request<sprout_proto::worker::GetWorkerRequest>,
    ) -> Result<Response<sprout_proto::worker::GetWorkerResponse>, Status> {
        Err(Status::unimplemented("GetWorker"))
    }

    async fn drain_worker(
        &self,
        _: Request<sprout_proto::worker::DrainWorkerRequest>,
    ) -> Result<Response<sprout_proto::worker::DrainWorkerResponse>, Status> {
        Err(Status::unimplemented("DrainWorker"))
    }

    async fn undrain_worker(
        &self,
        _: Request<sprout_proto::worker::UndrainWorkerRequest>,
    ) -> Result<Response<sprout_proto::worker::UndrainWorkerResponse>, Status> {
        Err(Status::unimplemented("UndrainWorker"))
    }

    async fn remove_worker(
        &self,
        _: Request<sprout_proto::worker::RemoveWorkerRequest>,
    ) -> Result<Response<sprout_proto::worker::RemoveWorkerResponse>, Status> {
        Err(Status::unimplemented("RemoveWorker"))
    }
}

/// A server and a worker.
struct Bench {
    driver: Arc<FakeDriver>,
    sessions: mpsc::Receiver<(Streaming<SessionRequest>, mpsc::Sender<Answer>)>,
    leave: watch::Sender<Leave>,
    worker: JoinHandle<Result<(), Error>>,
    server: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.server.abort();
        self.worker.abort();
    }
}

async fn bench() -> Bench {
    bench_with("good", false).await
}

async fn bench_with(token: &str, tls: bool) -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (server, sessions) = serve_on(listener, tls, Arc::default());
    let (driver, leave, worker) = worker(address, token, tls);
    Bench { driver, sessions, leave, worker, server }
}

pub(crate) type Sessions = mpsc::Receiver<(Streaming<SessionRequest>, mpsc::Sender<Answer>)>;

pub(crate) fn serve_on(listener: TcpListener, tls: bool, joins: Arc<Joins>) -> (JoinHandle<()>, Sessions) {
    let (sessions, receiver) = mpsc::channel(4);
    let mut server = Server::builder();
    if tls {
        let pair = (include_str!("../../tests/data/server.pem"), include_str!("../../tests/data/server.key"));
        server = server.tls_config(ServerTlsConfig::new().identity(Identity::from_pem(pair.0, pair.1))).unwrap();
    }
    let serving = server
        .add_service(WorkerServiceServer::new(Service { sessions, joins }))
        .serve_with_incoming(TcpListenerStream::new(listener));
    (tokio::spawn(async move { serving.await.unwrap() }), receiver)
}

fn worker(
    address: SocketAddr,
    token: &str,
    tls: bool,
) -> (Arc<FakeDriver>, watch::Sender<Leave>, JoinHandle<Result<(), Error>>) {
    let (driver, options) = options(address, token, tls);
    let (leave, level) = watch::channel(Leave::Stay);
    (driver, leave, tokio::spawn(crate::run(options, level)))
}

pub(crate) fn options(address: SocketAddr, token: &str, tls: bool) -> (Arc<FakeDriver>, crate::Options) {
    let driver = Arc::new(FakeDriver::default());
    let shared = Arc::clone(&driver);
    let drivers = Drivers::new(["container"], move |_| Ok(Arc::clone(&shared) as Arc<dyn crate::driver::Driver>));
    let options = crate::Options {
        servers: vec![if tls { format!("https://localhost:{}", address.port()) } else { format!("http://{address}") }],
        ca: tls.then(|| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ca.pem").into()),
        id: "lab-1".into(),
        identity: crate::Identity::Credential(token.to_owned().into()),
        labels: std::iter::once(("lab".to_owned(), "brno".to_owned())).collect(),
        slots: 3,
        kill_slots: 2,
        drivers,
    };
    (driver, options)
}

/// The server's end of one session.
pub(crate) struct Session {
    hello: Hello,
    says: Streaming<SessionRequest>,
    answers: mpsc::Sender<Answer>,
}

impl Bench {
    /// The next session, up to its Hello.
    async fn session(&mut self) -> Session {
        next_session(&mut self.sessions).await
    }

    /// The next session, welcomed.
    async fn welcomed(&mut self) -> Session {
        let session = self.session().await;
        session.say(Hears::Welcome(Welcome::default())).await;
        session
    }

    async fn end(&mut self) -> Result<(), Error> {
        within(&mut self.worker).await.unwrap()
    }
}

pub(crate) async fn next_session(sessions: &mut Sessions) -> Session {
    let (mut says, answers) = within(sessions.recv()).await.unwrap();
    match within(says.message()).await.unwrap().unwrap().message {
        Some(Says::Hello(hello)) => Session { hello, says, answers },
        other => panic!("not a hello: {other:?}"),
    }
}

impl Session {
    async fn say(&self, message: Hears) {
        self.answers.send(Ok(SessionResponse { message: Some(message) })).await.unwrap();
    }

    async fn assign(&self, task_id: u64, step: Step) {
        let settings = Some(Settings::Container(ContainerSettings::default()));
        let assign = Assign {
            task: Some(task(task_id)),
            input: Some(StepInput { step: Some(step) }),
            provider: Some(ProviderAccess { key: "lab".into(), settings }),
            deadline: Some(Duration::from_secs(60).try_into().unwrap()),
        };
        self.say(Hears::Assign(assign)).await;
    }

    async fn ack(&self, task_id: u64) {
        self.say(Hears::Ack(Ack { task: Some(task(task_id)) })).await;
    }

    async fn done(&mut self) -> Done {
        loop {
            match within(self.says.message()).await.unwrap().expect("the worker left").message {
                Some(Says::Done(done)) => return done,
                Some(Says::Hello(hello)) => panic!("a second hello: {hello:?}"),
                _ => {}
            }
        }
    }

    async fn next_but_progress(&mut self) -> Says {
        loop {
            match within(self.says.message()).await.unwrap().unwrap().message.unwrap() {
                Says::Progress(_) => {}
                other => return other,
            }
        }
    }

    async fn heartbeat(&mut self) -> u64 {
        loop {
            if let Some(Says::Heartbeat(heartbeat)) = within(self.says.message()).await.unwrap().unwrap().message {
                return heartbeat.number;
            }
        }
    }

    /// The worker closes its side without another result.
    async fn closed(&mut self) {
        while let Some(SessionRequest { message }) = within(self.says.message()).await.unwrap() {
            assert!(!matches!(message, Some(Says::Done(_))), "{message:?}");
        }
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("nothing happened")
}

fn task(task_id: u64) -> TaskRef {
    TaskRef { task_id, epoch: 1 }
}

fn check() -> Step {
    Step::CheckProvider(CheckProviderStep {})
}

fn tags() -> Tags {
    Tags { installation_id: "here".into(), appliance_id: 7, epoch: 1 }
}

fn wait() -> Step {
    let appliance = ApplianceRef { name: "sprout-7".into(), tags: Some(tags()), ..ApplianceRef::default() };
    Step::WaitPresent(WaitPresentStep { appliance: Some(appliance) })
}

fn failed(done: &Done) -> Option<StepErrorReason> {
    match done.result.as_ref().unwrap() {
        done::Result::Output(_) => None,
        done::Result::Error(error) => Some(error.reason()),
    }
}

#[tokio::test]
async fn a_worker_introduces_itself_and_serves() {
    let mut bench = bench().await;
    let mut session = bench.session().await;
    let Hello { worker_id, labels, provider_types, slots, lane_slots, leaving, running, .. } = &session.hello;
    assert_eq!((worker_id.as_str(), *slots, *leaving, running.len()), ("lab-1", 3, false, 0));
    assert_eq!(lane_slots[..], [LaneSlots { lane: Lane::Kill.into(), slots: 2 }]);
    assert_eq!((labels["lab"].as_str(), provider_types.as_slice()), ("brno", &["container".to_owned()][..]));
    session.say(Hears::Welcome(Welcome::default())).await;
    session.assign(1, check()).await;
    let done = session.done().await;
    assert_eq!((done.task, failed(&done)), (Some(task(1)), None));
}

#[tokio::test]
async fn a_session_over_tls() {
    let mut bench = bench_with("good", true).await;
    let mut session = bench.welcomed().await;
    session.assign(1, check()).await;
    assert_eq!(failed(&session.done().await), None);
}

#[tokio::test]
async fn heartbeats_keep_the_interval() {
    let mut bench = bench().await;
    let mut session = bench.session().await;
    let heartbeat_interval = Some(Duration::from_millis(30).try_into().unwrap());
    session.say(Hears::Welcome(Welcome { heartbeat_interval, ..Default::default() })).await;
    let mut last = 0;
    for n in 0..10 {
        // What else is said does not take their place.
        session.assign(n, check()).await;
        let number = session.heartbeat().await;
        assert!(number > last);
        last = number;
    }
}

#[tokio::test]
async fn a_result_is_repeated_until_it_is_acknowledged() {
    let mut bench = bench().await;
    let mut first = bench.welcomed().await;
    first.assign(1, check()).await;
    let done = first.done().await;
    drop(first);
    let mut second = bench.welcomed().await;
    assert_eq!(second.hello.running, [task(1)]);
    assert_eq!(second.done().await, done);
    second.ack(1).await;
    // In order behind the acknowledgement.
    second.assign(2, check()).await;
    assert_eq!(second.done().await.task, Some(task(2)));
    second.answers.send(Err(Status::unavailable("restarting"))).await.unwrap();
    let third = bench.session().await;
    assert_eq!(third.hello.running, [task(2)]);
    assert_eq!(bench.driver.count("check"), 2, "nothing was run twice");
}

#[tokio::test]
async fn steps_outlive_sessions() {
    let mut bench = bench().await;
    let session = bench.welcomed().await;
    session.assign(1, wait()).await;
    bench.driver.called("find", 1).await;
    drop(session);
    let mut session = bench.welcomed().await;
    assert_eq!(session.hello.running, [task(1)]);
    bench.driver.put(crate::driver::Instance { tags: Some(tags()), ..instance("sprout-7") });
    assert_eq!(failed(&session.done().await), None);
}

#[tokio::test]
async fn revoked_steps_end_in_silence() {
    let mut bench = bench().await;
    let mut session = bench.welcomed().await;
    session.assign(1, wait()).await;
    session.assign(2, check()).await;
    assert_eq!(session.done().await.task, Some(task(2)));
    drop(session);
    let mut session = bench.session().await;
    let mut running = session.hello.running.clone();
    running.sort_by_key(|task| task.task_id);
    assert_eq!(running, [task(1), task(2)]);
    session.say(Hears::Welcome(Welcome { revoked: running, ..Default::default() })).await;
    session.assign(3, check()).await;
    assert_eq!(session.done().await.task, Some(task(3)), "neither the running nor the ended one was reported");
    drop(session);
    assert_eq!(bench.session().await.hello.running, [task(3)]);
}

#[tokio::test]
async fn a_cancel_reaches_the_running_step() {
    let mut bench = bench().await;
    let mut session = bench.welcomed().await;
    session.assign(1, wait()).await;
    bench.driver.called("find", 1).await;
    session.say(Hears::Cancel(Cancel { task: Some(task(1)), reason: "the pool was killed".into() })).await;
    let done = session.done().await;
    assert_eq!((done.task, failed(&done)), (Some(task(1)), Some(StepErrorReason::Cancelled)));
}

#[tokio::test]
async fn a_drained_worker_goes_on() {
    let mut bench = bench().await;
    let mut session = bench.welcomed().await;
    session.assign(1, wait()).await;
    bench.driver.called("find", 1).await;
    session.say(Hears::Drain(Drain { reason: "update".into() })).await;
    session.assign(2, check()).await;
    assert_eq!(failed(&session.done().await), None, "the server decides what a drained worker is given");
    session.say(Hears::Undrain(Undrain {})).await;
    bench.driver.put(crate::driver::Instance { tags: Some(tags()), ..instance("sprout-7") });
    let done = session.done().await;
    assert_eq!((done.task, failed(&done)), (Some(task(1)), None));
}

#[tokio::test]
async fn a_terminated_worker_is_heard_before_it_leaves() {
    let mut bench = bench().await;
    let mut session = bench.welcomed().await;
    session.assign(1, wait()).await;
    bench.driver.called("find", 1).await;
    bench.leave.send_replace(Leave::Finish);
    assert!(matches!(session.next_but_progress().await, Says::Leaving(_)), "before any result");
    // It crossed that word.
    session.assign(2, check()).await;
    let mut results = [session.done().await, session.done().await];
    results.sort_by_key(|done| done.task.map(|task| task.task_id));
    assert_eq!(results.each_ref().map(|done| done.task), [Some(task(1)), Some(task(2))]);
    assert_eq!(results.each_ref().map(failed), [Some(StepErrorReason::Cancelled); 2]);
    // Lost before the acknowledgement: it comes back for it.
    session.ack(2).await;
    drop(session);
    let mut session = bench.welcomed().await;
    assert!(session.hello.leaving);
    assert!(session.hello.running.contains(&task(1)));
    session.done().await;
    session.ack(1).await;
    session.closed().await;
    drop(session);
    bench.end().await.unwrap();
}

#[tokio::test]
async fn a_worker_told_to_leave_now_leaves_now() {
    let mut bench = bench().await;
    let session = bench.welcomed().await;
    session.assign(1, wait()).await;
    bench.driver.called("find", 1).await;
    bench.leave.send_replace(Leave::Now);
    bench.end().await.unwrap();
}

#[tokio::test]
async fn a_refused_token_ends_the_worker() {
    let mut bench = bench_with("bad", false).await;
    let message = bench.end().await.unwrap_err().to_string();
    assert!(message.contains("unknown token") && message.contains("worker token lab-1"), "{message}");
    assert!(!message.contains("bad"), "{message}");
}

#[tokio::test]
async fn a_removed_worker_ends() {
    let mut bench = bench().await;
    let session = bench.session().await;
    session.answers.send(Err(Status::not_found("there is no worker lab-1"))).await.unwrap();
    let message = bench.end().await.unwrap_err().to_string();
    assert!(message.contains("there is no worker lab-1") && message.contains("worker token lab-1"), "{message}");
}

#[tokio::test]
async fn a_newer_session_ends_the_worker() {
    let mut bench = bench().await;
    let session = bench.welcomed().await;
    session.answers.send(Err(Status::failed_precondition("a newer session took over"))).await.unwrap();
    assert!(matches!(bench.end().await, Err(Error::Replaced { .. })));
}

#[tokio::test]
async fn a_mistake_in_the_order_ends_the_session_only() {
    let mut bench = bench().await;
    let session = bench.welcomed().await;
    let details = ErrorDetails::with_error_info("OUT_OF_ORDER", "sprout", []);
    let status = Status::with_error_details(tonic::Code::FailedPrecondition, "a second Hello", details);
    session.answers.send(Err(status)).await.unwrap();
    bench.welcomed().await;
}

#[tokio::test]
async fn a_server_that_comes_up_later_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (driver, leave, worker) = worker(address, "good", false);
    let (server, sessions) = serve_on(TcpListener::bind(address).await.unwrap(), false, Arc::default());
    let mut bench = Bench { driver, sessions, leave, worker, server };
    bench.welcomed().await;
}

#[tokio::test]
async fn options_that_cannot_work_are_told() {
    for (server, ca) in [("127.0.0.1:7600", None), ("ftp://x", None), ("https://x", Some("/missing.pem"))] {
        let options = crate::Options {
            servers: vec![server.into()],
            ca: ca.map(Into::into),
            id: "lab-1".into(),
            identity: crate::Identity::Credential("good".to_owned().into()),
            labels: std::collections::HashMap::new(),
            slots: 1,
            kill_slots: 1,
            drivers: Drivers::default(),
        };
        let (_leave, level) = watch::channel(Leave::Stay);
        assert!(matches!(within(crate::run(options, level)).await, Err(Error::Options(_))), "{server}");
    }
}
