//! One session over one connection, from Hello to its end.

use std::sync::Arc;

use futures::{Stream, stream};
use sprout_conf::Secret;
use sprout_proto::worker::{
    Heartbeat, Hello, SessionRequest, SessionResponse, Welcome, session_request::Message as Says,
    session_response::Message as Hears, worker_service_client::WorkerServiceClient,
};
use tokio::{
    select,
    sync::watch,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Endpoint};

use super::backoff::Backoff;
use crate::{executor::Executor, leave::Leave, outbox::Outbox};

/// The server answers Hello in this time or is given up.
const ANSWER: Duration = Duration::from_secs(10);
/// Assumed where the server names no interval for heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The server does not know this worker or its token.
    Refused(String),
    /// A newer session of the same worker id took over.
    Replaced(String),
    /// Hello is wrong.
    Unfit(String),
    /// Anything else: worth another try.
    Connection(String),
}

impl From<Status> for Lost {
    fn from(status: Status) -> Self {
        let message = status.message().to_owned();
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Self::Refused(message),
            Code::FailedPrecondition => Self::Replaced(message),
            Code::InvalidArgument => Self::Unfit(message),
            code => Self::Connection(format!("{code}: {message}")),
        }
    }
}

/// Runs one session until it ends.
pub(super) async fn run(
    endpoint: &Endpoint,
    token: &Secret,
    hello: Hello,
    executor: &Executor,
    outbox: &Arc<Outbox>,
    closed: &CancellationToken,
    backoff: &mut Backoff,
) -> Lost {
    match session(endpoint, token, hello, executor, outbox, closed, backoff).await {
        Ok(()) => Lost::Connection("the server ended the session".to_owned()),
        Err(lost) => lost,
    }
}

async fn session(
    endpoint: &Endpoint,
    token: &Secret,
    hello: Hello,
    executor: &Executor,
    outbox: &Arc<Outbox>,
    closed: &CancellationToken,
    backoff: &mut Backoff,
) -> Result<(), Lost> {
    let channel = endpoint.connect().await.map_err(|error| Lost::Connection(innermost(&error)))?;
    outbox.rewind();
    let (welcomed, welcome) = watch::channel(None);
    let mut request = Request::new(speech(hello, Arc::clone(outbox), welcome, closed.clone()));
    let mut bearer = MetadataValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| Lost::Refused("the token has characters that no token has".to_owned()))?;
    bearer.set_sensitive(true);
    request.metadata_mut().insert("authorization", bearer);

    let mut client = WorkerServiceClient::new(channel);
    let opening = async {
        let mut hears = client.session(request).await?.into_inner();
        let first = hears.message().await?;
        Ok::<_, Status>((hears, first))
    };
    let (mut hears, first) =
        timeout(ANSWER, opening).await.map_err(|_| Lost::Connection("the server does not answer".to_owned()))??;
    let Some(SessionResponse { message: Some(Hears::Welcome(welcome)) }) = first else {
        return Err(Lost::Connection("the server did not begin with a welcome".to_owned()));
    };
    tracing::info!(server_version = welcome.server_version, revoked = welcome.revoked.len(), "session opened");
    backoff.welcomed();
    welcome.revoked.iter().for_each(|task| executor.revoke(task));
    welcomed.send_replace(Some(heartbeat(&welcome)));
    while let Some(SessionResponse { message }) = hears.message().await? {
        if let Some(message) = message {
            hear(message, executor, outbox);
        } else {
            tracing::warn!("the server said something this worker is too old for; ignored");
        }
    }
    Ok(())
}

fn hear(message: Hears, executor: &Executor, outbox: &Outbox) {
    match message {
        Hears::Assign(assign) => executor.assign(assign),
        Hears::Cancel(cancel) => {
            if let Some(task) = cancel.task {
                executor.cancel(&task, &cancel.reason);
            }
        }
        Hears::Drain(drain) => {
            tracing::info!(drain.reason, "drained by the server");
            executor.leave(Leave::Drain);
        }
        Hears::Ack(ack) => {
            if let Some(task) = ack.task {
                outbox.acknowledged(&task);
            }
        }
        Hears::Revoke(revoke) => {
            if let Some(task) = revoke.task {
                executor.revoke(&task);
            }
        }
        Hears::Heard(_) | Hears::Undrain(_) => {}
        Hears::Welcome(_) => tracing::warn!("the server said welcome twice; ignored"),
    }
}

/// A third earlier than the server asks for: messages take their time.
fn heartbeat(welcome: &Welcome) -> Duration {
    let asked = welcome.heartbeat_interval.and_then(|interval| Duration::try_from(interval).ok());
    asked.filter(|interval| !interval.is_zero()).unwrap_or(HEARTBEAT) * 2 / 3
}

/// What the worker says: Hello; after the welcome whatever is in the outbox, at the pace of the connection, and heartbeats in
/// between; at last, when all is said, the end.
fn speech(
    hello: Hello,
    outbox: Arc<Outbox>,
    welcome: watch::Receiver<Option<Duration>>,
    closed: CancellationToken,
) -> impl Stream<Item = SessionRequest> + Send + 'static {
    stream::unfold((Some(hello), welcome), move |(hello, mut welcome)| {
        let (outbox, closed) = (Arc::clone(&outbox), closed.clone());
        async move {
            let message = if let Some(hello) = hello {
                Says::Hello(hello)
            } else {
                // Fails when the session is given up; then nobody listens.
                let interval = (*welcome.wait_for(Option::is_some).await.ok()?)?;
                select! {
                    biased;
                    said = timeout(interval, outbox.next()) => said.unwrap_or(Says::Heartbeat(Heartbeat { number: 0 })),
                    () = closed.cancelled() => return None,
                }
            };
            Some((SessionRequest { message: Some(message) }, (None, welcome)))
        }
    })
}

/// The innermost cause: the outer ones say "transport error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
