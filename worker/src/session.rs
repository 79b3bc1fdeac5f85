//! Keeps a session with the server: connects, connects again whenever it is lost, and ends it when the worker leaves.

mod backoff;
#[cfg(test)]
mod channel_tests;
mod connection;
mod endpoint;
#[cfg(test)]
pub(crate) mod tests;

use std::{path::PathBuf, sync::Arc};

use sprout_proto::worker::Hello;
use tokio::{
    select,
    sync::watch,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::endpoint::{Remote, keep_certified};
use self::{backoff::Backoff, connection::Lost};
use crate::{executor::Executor, lease::Lease, leave::Leave, link::Connector, outbox::Outbox, registry::Drivers};

/// A leaving worker waits this long for its last results to be acknowledged, by this server or another: after that the server
/// takes it for dead anyway.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// The same when it is to leave soon.
const LAST_WORDS_SOON: Duration = Duration::from_secs(1);
/// Once all is said, the server has this long to end its side.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a worker could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not let this worker in.
    #[error(
        "the server {server} refuses the worker {id}: {message}; to let it join again, give it a new join token (`sproutctl worker token \
         {id}`) with --join-token-file, worker.join_token_file or SPROUT_WORKER_JOIN_TOKEN"
    )]
    Refused {
        /// URL of the server.
        server: String,
        /// Id of this worker.
        id: String,
        /// What the server says.
        message: String,
    },
    /// A newer session took this one's place.
    #[error(
        "the server {server} ended the session of the worker {id}: {message}; if another worker runs under this id, give one \
         of them another (worker.id or --id)"
    )]
    Replaced {
        /// URL of the server.
        server: String,
        /// Id of this worker.
        id: String,
        /// What the server says.
        message: String,
    },
    /// The worker was removed from the server.
    #[error(
        "the server {server} does not know the worker {id} any more: {message}; if it was not meant to be removed, let it join again \
         with a new join token (`sproutctl worker token {id}`)"
    )]
    Removed {
        /// URL of the server.
        server: String,
        /// Id of this worker.
        id: String,
        /// What the server says.
        message: String,
    },
    /// The server finds something wrong with how this worker introduces itself.
    #[error("the server {server} cannot use the worker {id}: {message}; correct it in the section `worker`")]
    Unfit {
        /// URL of the server.
        server: String,
        /// Id of this worker.
        id: String,
        /// What the server says.
        message: String,
    },
    /// It has never joined, and cannot.
    #[error(
        "the worker {id} has not joined yet (nothing of it is in {}), and there is no join token: make one with `sproutctl worker token {id}`, \
         or with `sprout-server create-worker {id}` where the server runs, and give it as SPROUT_WORKER_JOIN_TOKEN, or in a file with \
         --join-token-file or worker.join_token_file",
        state_dir.display()
    )]
    NotJoined {
        /// Id of this worker.
        id: String,
        /// Where it would be.
        state_dir: PathBuf,
    },
    /// What the worker keeps of itself cannot be used.
    #[error("{} {message}", path.display())]
    State {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
}

/// What a session speaks for.
pub(crate) struct Parts {
    pub(crate) executor: Executor,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) lease: Arc<Lease>,
}

impl Parts {
    pub(crate) fn new(drivers: Drivers) -> Self {
        let (outbox, lease) = (Arc::new(Outbox::default()), Arc::new(Lease::default()));
        let executor = Executor::new(drivers, Arc::clone(&outbox), Arc::clone(&lease));
        Self { executor, outbox, lease }
    }
}

/// Serves until the worker has left. `hello`: without what changes from session to session.
pub(crate) async fn serve(
    hello: Hello,
    servers: &[Box<dyn Connector>],
    parts: &Parts,
    leave: watch::Receiver<Leave>,
) -> Result<(), Error> {
    // The last word is spoken: sessions end, and none is begun.
    let closed = CancellationToken::new();
    select! {
        biased;
        () = obey(leave, &parts.executor) => Ok(()),
        () = depart(&parts.executor, &parts.outbox, &closed) => Ok(()),
        result = keep_connected(hello, servers, parts, &closed) => result,
    }
}

async fn keep_connected(
    hello: Hello,
    servers: &[Box<dyn Connector>],
    parts: &Parts,
    closed: &CancellationToken,
) -> Result<(), Error> {
    if servers.is_empty() {
        return Err(Error::Options("no server is named; give its URL in worker.server or with --server".to_owned()));
    }
    let mut backoff = Backoff::of(servers.len());
    loop {
        let connector = &*servers[backoff.server()];
        let lost = connection::run(connector, hello.clone(), parts, closed, &mut backoff).await;
        if closed.is_cancelled() {
            return Ok(());
        }
        let (server, id) = (connector.server().to_owned(), hello.worker_id.clone());
        match lost {
            Lost::Refused(message) => return Err(Error::Refused { server, id, message }),
            Lost::Replaced(message) => return Err(Error::Replaced { server, id, message }),
            Lost::Removed(message) => return Err(Error::Removed { server, id, message }),
            Lost::Unfit(message) => return Err(Error::Unfit { server, id, message }),
            Lost::Connection(reason) => {
                let pause = backoff.next();
                tracing::warn!(%server, ?pause, "no session with the server: {reason}; trying {}", next(servers, &backoff));
                select! {
                    biased;
                    () = closed.cancelled() => return Ok(()),
                    () = sleep(pause) => {}
                }
            }
        }
    }
}

fn next<'a>(servers: &'a [Box<dyn Connector>], backoff: &Backoff) -> &'a str {
    if servers.len() == 1 { "again" } else { servers[backoff.server()].server() }
}

/// Passes on how urgently to leave; ends when that is at once.
async fn obey(mut leave: watch::Receiver<Leave>, executor: &Executor) {
    loop {
        let level = *leave.borrow_and_update();
        executor.leave(level);
        if level == Leave::Now {
            return;
        }
        if leave.changed().await.is_err() {
            // Nobody is left who could change it.
            std::future::pending::<()>().await;
        }
    }
}

/// Ends when the worker has left: its steps ended, their results acknowledged, its side of the session closed.
async fn depart(executor: &Executor, outbox: &Outbox, closed: &CancellationToken) {
    executor.left().await;
    let mut level = executor.level();
    let soon = async {
        // Cannot fail: the executor holds the other end.
        let _ = level.wait_for(|level| *level >= Leave::Soon).await;
        sleep(LAST_WORDS_SOON).await;
    };
    let said = select! {
        biased;
        result = timeout(LAST_WORDS, outbox.all_acknowledged()) => result.is_ok(),
        () = soon => false,
    };
    if !said {
        tracing::warn!(unacknowledged = outbox.unacknowledged().len(), "leaving without having been heard");
    }
    closed.cancel();
    sleep(FAREWELL).await;
}
