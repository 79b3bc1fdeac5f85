//! Keeps a session with the server: connects, connects again whenever it is lost, and ends it when the worker leaves.

mod backoff;
mod connection;
mod endpoint;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use sprout_proto::worker::Hello;
use tokio::{
    select,
    sync::watch,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{backoff::Backoff, connection::Lost};
use crate::{executor::Executor, leave::Leave, outbox::Outbox};

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
        "the server {server} refuses the worker {id}: {message}; make a token there with `sprout-server create-worker {id}` \
         and give it as SPROUT_WORKER_TOKEN or in worker.token_file"
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
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
}

/// What a session needs to know.
pub(crate) struct Options {
    pub(crate) server: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token: sprout_conf::Secret,
    /// Without the tasks it runs.
    pub(crate) hello: Hello,
}

/// Serves until the worker has left.
pub(crate) async fn serve(
    options: Options,
    executor: Executor,
    outbox: Arc<Outbox>,
    leave: watch::Receiver<Leave>,
) -> Result<(), Error> {
    let endpoint = endpoint::build(&options)?;
    // The last word is spoken: sessions end, and none is begun.
    let closed = CancellationToken::new();
    select! {
        result = keep_connected(&options, &endpoint, &executor, &outbox, &closed) => result,
        () = obey(leave, &executor) => Ok(()),
        () = depart(&executor, &outbox, &closed) => Ok(()),
    }
}

async fn keep_connected(
    options: &Options,
    endpoint: &tonic::transport::Endpoint,
    executor: &Executor,
    outbox: &Arc<Outbox>,
    closed: &CancellationToken,
) -> Result<(), Error> {
    let (server, id) = (&options.server, &options.hello.worker_id);
    let mut backoff = Backoff::default();
    loop {
        let hello = Hello { running: executor.held(), ..options.hello.clone() };
        let lost = connection::run(endpoint, &options.token, hello, executor, outbox, closed, &mut backoff).await;
        if closed.is_cancelled() {
            return Ok(());
        }
        match lost {
            Lost::Refused(message) => {
                return Err(Error::Refused { server: server.clone(), id: id.clone(), message });
            }
            Lost::Replaced(message) => {
                return Err(Error::Replaced { server: server.clone(), id: id.clone(), message });
            }
            Lost::Unfit(message) => return Err(Error::Unfit { server: server.clone(), id: id.clone(), message }),
            Lost::Connection(reason) => {
                let pause = backoff.next();
                tracing::warn!(%server, ?pause, "no session with the server: {reason}; trying again");
                select! {
                    () = sleep(pause) => {}
                    () = closed.cancelled() => return Ok(()),
                }
            }
        }
    }
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
        result = timeout(LAST_WORDS, outbox.all_acknowledged()) => result.is_ok(),
        () = soon => false,
    };
    if !said {
        tracing::warn!(unacknowledged = outbox.unacknowledged().len(), "leaving without having been heard");
    }
    closed.cancel();
    sleep(FAREWELL).await;
}
