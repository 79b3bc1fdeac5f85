//! A checkout against a server that does what a test tells it to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use prost_types::Timestamp;
use sprout_client::{
    Checkout, Connection, Lease, Settings, Watched,
    pool::PoolError,
    proto::pool::{
        self, Pool, PoolState, RequestPoolRequest, WatchPoolResponse,
        pool_service_server::{PoolService, PoolServiceServer},
    },
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::{
    Stream,
    wrappers::{TcpListenerStream, UnboundedReceiverStream},
};
use tonic::{Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

type Answer<T> = Result<Response<T>, Status>;
type Message = Result<WatchPoolResponse, Status>;

/// Tells the test each call, and answers as the test says.
struct Told {
    calls: UnboundedSender<String>,
    /// Of each watch to come: what it says.
    watches: Mutex<Vec<UnboundedReceiver<Message>>>,
    /// Of each extension to come: why it fails.
    refusals: Mutex<Vec<Status>>,
    /// What a request finds.
    found: (PoolState, bool),
    lease: Duration,
}

#[derive(Clone)]
struct Fake(Arc<Told>);

fn pool(state: PoolState, lease: Duration, until: i64) -> Pool {
    Pool {
        id: 7,
        count: 1,
        state: state.into(),
        status: if state == PoolState::Failed { "no template is left to try".into() } else { String::new() },
        lease: Some(prost_types::Duration {
            seconds: lease.as_secs().try_into().unwrap(),
            nanos: lease.subsec_nanos().try_into().unwrap(),
        }),
        leased_until: (state == PoolState::Ready).then_some(Timestamp { seconds: until, nanos: 0 }),
        ..Pool::default()
    }
}

fn unasked<T>() -> Answer<T> {
    Err(Status::unimplemented("no checkout asks for this"))
}

#[tonic::async_trait]
impl PoolService for Fake {
    type WatchPoolStream = Pin<Box<dyn Stream<Item = Message> + Send>>;

    async fn request_pool(&self, request: Request<RequestPoolRequest>) -> Answer<pool::RequestPoolResponse> {
        let request = request.into_inner();
        self.0.calls.send(format!("request {} {:?}", request.request_id.len(), request.keep_alive)).unwrap();
        let (state, repeated_request) = self.0.found;
        Ok(Response::new(pool::RequestPoolResponse { pool: Some(pool(state, self.0.lease, 100)), repeated_request }))
    }

    async fn watch_pool(&self, _: Request<pool::WatchPoolRequest>) -> Answer<Self::WatchPoolStream> {
        let mut watches = self.0.watches.lock().unwrap();
        if watches.is_empty() {
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        }
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(watches.remove(0)))))
    }

    async fn extend_pool(&self, request: Request<pool::ExtendPoolRequest>) -> Answer<pool::ExtendPoolResponse> {
        let lease = request.into_inner().lease.unwrap();
        self.0.calls.send(format!("extend {} ms", lease.seconds * 1000 + i64::from(lease.nanos) / 1_000_000)).unwrap();
        let mut refusals = self.0.refusals.lock().unwrap();
        if !refusals.is_empty() {
            return Err(refusals.remove(0));
        }
        Ok(Response::new(pool::ExtendPoolResponse { pool: Some(pool(PoolState::Ready, self.0.lease, 200)) }))
    }

    async fn keep_pool_alive(&self, _: Request<pool::KeepPoolAliveRequest>) -> Answer<pool::KeepPoolAliveResponse> {
        self.0.calls.send("keep alive".to_owned()).unwrap();
        Ok(Response::new(pool::KeepPoolAliveResponse { alive_until: Some(Timestamp::default()) }))
    }

    async fn kill_pool(&self, _: Request<pool::KillPoolRequest>) -> Answer<pool::KillPoolResponse> {
        self.0.calls.send("kill".to_owned()).unwrap();
        Ok(Response::new(pool::KillPoolResponse { pool: Some(pool(PoolState::Ending, self.0.lease, 0)) }))
    }

    async fn get_pool(&self, _: Request<pool::GetPoolRequest>) -> Answer<pool::GetPoolResponse> {
        unasked()
    }

    async fn list_pools(&self, _: Request<pool::ListPoolsRequest>) -> Answer<pool::ListPoolsResponse> {
        unasked()
    }

    async fn explain_pool(&self, _: Request<pool::ExplainPoolRequest>) -> Answer<pool::ExplainPoolResponse> {
        unasked()
    }

    async fn describe_pool(&self, _: Request<pool::DescribePoolRequest>) -> Answer<pool::DescribePoolResponse> {
        unasked()
    }

    async fn clone_pool(&self, _: Request<pool::ClonePoolRequest>) -> Answer<pool::ClonePoolResponse> {
        unasked()
    }

    async fn merge_pools(&self, _: Request<pool::MergePoolsRequest>) -> Answer<pool::MergePoolsResponse> {
        unasked()
    }

    async fn transfer_pool(&self, _: Request<pool::TransferPoolRequest>) -> Answer<pool::TransferPoolResponse> {
        unasked()
    }

    async fn kill_pools(&self, _: Request<pool::KillPoolsRequest>) -> Answer<pool::KillPoolsResponse> {
        unasked()
    }
}

struct Bed {
    connection: Connection,
    calls: UnboundedReceiver<String>,
    watches: Vec<UnboundedSender<Message>>,
    lease: Duration,
}

impl Bed {
    /// A server that finds this pool, and is watched so many times.
    async fn new(found: (PoolState, bool), lease: Duration, watches: usize, refusals: Vec<Status>) -> Self {
        let (calls, told) = unbounded_channel();
        let (speak, hear): (Vec<_>, Vec<_>) = (0..watches).map(|_| unbounded_channel()).unzip();
        let fake = Fake(Arc::new(Told { calls, watches: hear.into(), refusals: refusals.into(), found, lease }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let service = PoolServiceServer::new(fake);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
        let connection = Connection::open(Settings::new(server)).unwrap();
        Self { connection, calls: told, watches: speak, lease }
    }

    fn say(&self, watch: usize, state: PoolState) {
        let pool = Some(pool(state, self.lease, 100));
        self.watches[watch].send(Ok(WatchPoolResponse { pool, message: String::new() })).unwrap();
    }

    async fn requested(&mut self) -> Checkout {
        let checkout = Checkout::request(&self.connection, RequestPoolRequest::default()).await.unwrap();
        assert_eq!(self.call().await, "request 36 Some(Duration { seconds: 120, nanos: 0 })");
        checkout
    }

    async fn call(&mut self) -> String {
        self.calls.recv().await.unwrap()
    }
}

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_lease_is_kept_alive_until_the_release() {
    let mut bed = Bed::new((PoolState::Ready, false), SHORT, 0, vec![Status::unavailable("busy")]).await;
    let mut checkout = bed.requested().await;
    checkout.ready(|_| ()).await.unwrap();
    // The first try fails, which is told, and made up for.
    assert_eq!(bed.call().await, "extend 200 ms");
    let failing = checkout.lease_changed().await;
    assert!(matches!(failing, Lease::Failing { until: Some(Timestamp { seconds: 100, .. }), .. }), "{failing:?}");
    assert_eq!(bed.call().await, "extend 200 ms");
    let kept = checkout.lease_changed().await;
    assert!(matches!(kept, Lease::Kept { until: Some(Timestamp { seconds: 200, .. }) }), "{kept:?}");
    assert_eq!(bed.call().await, "extend 200 ms", "and so on");
    // What can be spawned can be released from anywhere.
    let released = tokio::spawn(checkout.release()).await.unwrap().unwrap();
    assert_eq!(released.state(), PoolState::Ending);
    while bed.call().await != "kill" {}
}

#[tokio::test]
async fn a_group_that_allows_less_by_now_gets_less() {
    let mut details = ErrorDetails::with_error_info("LEASE_TOO_LONG", "sprout", [("max_seconds".into(), "0".into())]);
    details.set_retry_info(None);
    let refusal = Status::with_error_details(tonic::Code::InvalidArgument, "too long", details);
    let mut bed = Bed::new((PoolState::Ready, false), SHORT, 0, vec![refusal]).await;
    let mut checkout = bed.requested().await;
    checkout.ready(|_| ()).await.unwrap();
    assert_eq!(bed.call().await, "extend 200 ms");
    assert_eq!(bed.call().await, "extend 0 ms");
}

#[tokio::test]
async fn a_pool_of_unknown_age_is_extended_at_once() {
    let mut bed = Bed::new((PoolState::Ready, true), LONG, 0, Vec::new()).await;
    let mut checkout = bed.requested().await;
    assert!(checkout.is_repeated());
    checkout.ready(|_| ()).await.unwrap();
    assert_eq!(bed.call().await, "extend 3600000 ms");
}

#[tokio::test]
async fn waiting_survives_a_break_and_keeps_the_request_alive() {
    let mut bed = Bed::new((PoolState::Waiting, false), LONG, 2, Vec::new()).await;
    let request = RequestPoolRequest {
        keep_alive: Some(prost_types::Duration { seconds: 0, nanos: 30_000_000 }),
        ..RequestPoolRequest::default()
    };
    let mut checkout = Checkout::request(&bed.connection, request).await.unwrap();
    bed.say(0, PoolState::Waiting);
    bed.watches[0].send(Err(Status::unavailable("restarting"))).unwrap();
    let mut heard = Vec::new();
    {
        let ready = checkout.ready(|watched| {
            heard.push(match watched {
                Watched::Message(message) => message.pool.as_ref().unwrap().state().as_str_name().to_owned(),
                Watched::Lost(error) => error.to_string(),
                Watched::Back => "back".to_owned(),
            });
        });
        tokio::pin!(ready);
        let mut alive = 0;
        while alive < 3 {
            tokio::select! {
                done = &mut ready => panic!("{done:?}"),
                call = bed.calls.recv() => alive += usize::from(call.unwrap() == "keep alive"),
            }
        }
        bed.say(1, PoolState::Ready);
        ready.await.unwrap();
    }
    assert_eq!(heard, ["POOL_STATE_WAITING", "restarting", "back", "POOL_STATE_READY"]);
    assert_eq!(checkout.pool().state(), PoolState::Ready);
    checkout.release().await.unwrap();
}

#[tokio::test]
async fn a_pool_that_fails_says_why_and_is_not_killed_again() {
    let mut bed = Bed::new((PoolState::Provisioning, false), LONG, 1, Vec::new()).await;
    let mut checkout = bed.requested().await;
    bed.say(0, PoolState::Failed);
    let error = checkout.ready(|_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "pool 7 is failed, not ready: no template is left to try");
    let PoolError::Missed { pool, .. } = error else { panic!("{error:?}") };
    assert_eq!(pool.state(), PoolState::Failed);
    drop(checkout);
    bed.requested().await.leave();
    assert!(bed.calls.try_recv().is_err(), "nothing but the two requests was asked");
}

#[tokio::test]
async fn a_pool_that_others_end_is_over() {
    let mut bed = Bed::new((PoolState::Ready, false), LONG, 1, Vec::new()).await;
    let mut checkout = bed.requested().await;
    checkout.ready(|_| ()).await.unwrap();
    bed.say(0, PoolState::Ending);
    loop {
        match checkout.lease_changed().await {
            Lease::Over { why } => break assert_eq!(why, "it was killed, or its lease ended"),
            Lease::Kept { .. } => {}
            Lease::Failing { error, .. } => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn what_is_dropped_is_given_back() {
    let mut bed = Bed::new((PoolState::Waiting, false), LONG, 0, Vec::new()).await;
    drop(bed.requested().await);
    assert_eq!(bed.call().await, "kill");
    let left = bed.requested().await.leave();
    assert_eq!(left.id, 7);
    drop(bed.requested().await);
    assert_eq!(bed.call().await, "kill", "and nothing of the one that was left");
}

#[tokio::test]
async fn a_wait_that_is_given_up_ends_nothing() {
    let mut bed = Bed::new((PoolState::Waiting, false), LONG, 0, Vec::new()).await;
    let mut checkout = bed.requested().await;
    tokio::select! {
        biased;
        done = checkout.ready(|_| ()) => panic!("nobody said that it is ready: {done:?}"),
        () = std::future::ready(()) => {}
    }
    checkout.release().await.unwrap();
    assert_eq!(bed.call().await, "kill");
    assert!(bed.calls.try_recv().is_err(), "once");
}
