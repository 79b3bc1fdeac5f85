//! One session over one connection, from Hello to its end.

use futures::StreamExt as _;
use sprout_proto::worker::{
    Hello, SessionRequest, SessionResponse, Welcome, session_request::Message as Says,
    session_response::Message as Hears,
};
use tokio::{
    select,
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Parts, backoff::Backoff};
use crate::{
    lease::Moment,
    link::{Connector, Link},
};

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
    /// The worker was removed.
    Removed(String),
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
            Code::NotFound => Self::Removed(message),
            // Another order of messages is for a release that does not make this mistake, or for the next session.
            Code::FailedPrecondition if reason(&status).as_deref() != Some("OUT_OF_ORDER") => Self::Replaced(message),
            Code::InvalidArgument => Self::Unfit(message),
            code => Self::Connection(format!("{code}: {message}")),
        }
    }
}

fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// Runs one session until it ends.
pub(super) async fn run(
    connector: &dyn Connector,
    hello: Hello,
    parts: &Parts,
    closed: &CancellationToken,
    backoff: &mut Backoff,
) -> Lost {
    match session(connector, hello, parts, closed, backoff).await {
        Ok(()) => Lost::Connection("the server ended the session".to_owned()),
        Err(lost) => lost,
    }
}

async fn session(
    connector: &dyn Connector,
    hello: Hello,
    parts: &Parts,
    closed: &CancellationToken,
    backoff: &mut Backoff,
) -> Result<(), Lost> {
    let since = Moment::now();
    let hello = Hello { leaving: parts.outbox.rewind(), running: parts.executor.held(), ..hello };
    let opening = async {
        let mut link = connector.connect(hello).await?;
        let first = link.hears.next().await.transpose()?;
        Ok::<_, Status>((link, first))
    };
    let (Link { says, mut hears }, first) =
        timeout(ANSWER, opening).await.map_err(|_| Lost::Connection("the server does not answer".to_owned()))??;
    let Some(SessionResponse { message: Some(Hears::Welcome(welcome)) }) = first else {
        return Err(Lost::Connection("the server did not begin with a welcome".to_owned()));
    };
    tracing::info!(
        server = connector.server(),
        server_version = welcome.server_version,
        revoked = welcome.revoked.len(),
        drained = welcome.drained,
        "session opened"
    );
    backoff.welcomed();
    // In this order: with the lease, steps go on that waited for it.
    welcome.revoked.iter().for_each(|task| parts.executor.revoke(task));
    parts.lease.open(since, welcome.lease.and_then(|lease| Duration::try_from(lease).ok()));

    let hearing = async {
        while let Some(SessionResponse { message }) = hears.next().await.transpose()? {
            if let Some(message) = message {
                hear(message, parts);
            } else {
                tracing::warn!("the server said something this worker is too old for; ignored");
            }
        }
        Ok(())
    };
    let speaking = async {
        speak(says, parts, heartbeat(&welcome), closed).await;
        // How it ends is for the server to say.
        std::future::pending::<()>().await;
    };
    select! {
        biased;
        ended = hearing => ended,
        () = speaking => Ok(()),
    }
}

fn hear(message: Hears, parts: &Parts) {
    let Parts { executor, outbox, lease } = parts;
    match message {
        Hears::Assign(assign) => executor.assign(assign),
        Hears::Cancel(cancel) => {
            if let Some(task) = cancel.task {
                executor.cancel(&task, &cancel.reason);
            }
        }
        Hears::Ack(ack) => {
            if let Some(task) = ack.task {
                outbox.acknowledged(&task);
            }
        }
        Hears::Heard(heard) => lease.heard(heard.number),
        Hears::Revoke(revoke) => {
            if let Some(task) = revoke.task {
                executor.revoke(&task);
            }
        }
        Hears::Drain(drain) => {
            tracing::info!(drain.reason, "drained: this worker is given nothing new until it is undrained");
        }
        Hears::Undrain(_) => tracing::info!("undrained: this worker is given tasks again"),
        Hears::Welcome(_) => tracing::warn!("the server said welcome twice; ignored"),
    }
}

/// A third earlier than the server asks for: messages take their time.
fn heartbeat(welcome: &Welcome) -> Duration {
    let asked = welcome.heartbeat_interval.and_then(|interval| Duration::try_from(interval).ok());
    asked.filter(|interval| !interval.is_zero()).unwrap_or(HEARTBEAT) * 2 / 3
}

/// Says whatever is in the outbox, at the pace of the connection, and that the worker lives; until all is said.
async fn speak(says: mpsc::Sender<SessionRequest>, parts: &Parts, interval: Duration, closed: &CancellationToken) {
    let mut beats = interval_at(Instant::now() + interval, interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = select! {
            biased;
            _ = beats.tick() => Says::Heartbeat(parts.lease.beat()),
            message = parts.outbox.next() => message,
            () = closed.cancelled() => return,
        };
        if says.send(SessionRequest { message: Some(message) }).await.is_err() {
            return;
        }
    }
}
