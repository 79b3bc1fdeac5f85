//! Pools as programs use them: requested once although answers get lost, waited for across restarts of the server, ended.
//! [`crate::Checkout`] puts these together; use them where a pool is to outlive the program.

use std::{convert::Infallible, future::pending, time::Duration};

use sprout_proto::pool::{
    GetPoolRequest, KeepPoolAliveRequest, KillPoolRequest, Pool, PoolState, RequestPoolRequest, WatchPoolResponse,
};
use tokio::time::sleep;

use crate::{
    connection::Connection,
    error::ClientError,
    retry::Tries,
    watch::{Watch, Watched},
};

/// A pool that was requested.
#[derive(Clone, Debug)]
pub struct Requested {
    /// The pool as it was when the server answered.
    pub pool: Pool,
    /// The server had seen this request id before, so the pool may be older.
    pub is_repeated: bool,
}

/// What a pool is waited to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// All its appliances are ready, and its lease runs.
    Ready,
    /// Nothing of it is left.
    Gone,
}

impl Goal {
    /// Whether waiting is over, and whether well.
    fn verdict(self, state: PoolState) -> Option<bool> {
        match (self, state) {
            (Self::Ready, PoolState::Ready) | (Self::Gone, PoolState::Ended | PoolState::Failed) => Some(true),
            (Self::Ready, PoolState::Ending | PoolState::Ended | PoolState::Failed) => Some(false),
            _ => None,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Gone => "gone",
        })
    }
}

/// Why a pool did not become what it was waited for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PoolError {
    /// The server said no, or could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It failed, or was ended by someone. The pool's status says why.
    #[error("pool {} is {}, not {goal}{}", pool.id, state_name(pool), said(pool))]
    Missed {
        /// What it was to become.
        goal: Goal,
        /// As it is now.
        pool: Box<Pool>,
    },
}

fn state_name(pool: &Pool) -> String {
    match PoolState::try_from(pool.state) {
        Ok(PoolState::Unspecified) | Err(_) => "unknown".to_owned(),
        Ok(state) => state.as_str_name().trim_start_matches("POOL_STATE_").to_lowercase(),
    }
}

fn said(pool: &Pool) -> String {
    if pool.status.is_empty() { String::new() } else { format!(": {}", pool.status) }
}

/// An id for a request, unlike any other.
pub fn new_request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Requests a pool. The request must have its id: if the answer is lost, the same request is sent again, and no second
/// pool comes of it.
pub async fn request(connection: &Connection, request: &RequestPoolRequest) -> Result<Requested, ClientError> {
    let mut tries = Tries::new();
    let answer = loop {
        match connection.pools().request_pool(request.clone()).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => tries.again(connection.explain(status)).await?,
        }
    };
    let pool = answer.pool.ok_or(ClientError::Incomplete { what: "pool" })?;
    Ok(Requested { pool, is_repeated: answer.repeated_request })
}

/// The pool as it is now.
pub async fn get(connection: &Connection, id: u64) -> Result<Pool, ClientError> {
    let answer = connection.pools().get_pool(GetPoolRequest { id }).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    answer.pool.ok_or(ClientError::Incomplete { what: "pool" })
}

/// Waits until a pool is what it is to become, for good if need be; `told` hears of each change, and of lost connections.
/// The pool goes on whatever becomes of this.
pub async fn wait(
    connection: &Connection,
    id: u64,
    goal: Goal,
    mut told: impl FnMut(&Watched<WatchPoolResponse>),
) -> Result<Pool, PoolError> {
    let mut watch = Watch::pool(connection, id).known();
    while let Some(watched) = watch.next().await {
        let watched = watched?;
        told(&watched);
        let Watched::Message(message) = watched else { continue };
        let pool = message.pool.ok_or(ClientError::Incomplete { what: "pool" })?;
        match goal.verdict(pool.state()) {
            None => {}
            Some(true) => return Ok(pool),
            Some(false) => return Err(PoolError::Missed { goal, pool: Box::new(pool) }),
        }
    }
    // A watch goes on until one of the verdicts above.
    Err(ClientError::Incomplete { what: "end of the pool" }.into())
}

/// Says again and again that somebody waits for a pool that is dropped otherwise: each third of `time`, so one that gets
/// lost does no harm. Never returns; what ends it is the end of the waiting.
pub async fn keep_alive(connection: &Connection, id: u64, time: Duration) -> Infallible {
    let mut pause = time / 3;
    loop {
        sleep(pause).await;
        let answer = connection.pools().keep_pool_alive(KeepPoolAliveRequest { id }).await;
        pause = match answer.map(|answer| answer.into_inner().alive_until) {
            Ok(None) => pending().await, // the pool does not depend on it, or no longer
            Ok(Some(_)) => time / 3,
            // Soon, since some of the time is gone. Whoever waits hears from the watch what is wrong.
            Err(_) => (time / 12).min(Duration::from_secs(2)),
        };
    }
}

/// Ends a pool. Repeating it changes nothing, so it is repeated when the answer is lost.
pub async fn kill(connection: &Connection, id: u64) -> Result<Pool, ClientError> {
    kill_in(connection, id, Tries::new()).await
}

pub(crate) async fn kill_in(connection: &Connection, id: u64, mut tries: Tries) -> Result<Pool, ClientError> {
    loop {
        match connection.pools().kill_pool(KillPoolRequest { id }).await {
            Ok(answer) => return answer.into_inner().pool.ok_or(ClientError::Incomplete { what: "pool" }),
            Err(status) => tries.again(connection.explain(status)).await?,
        }
    }
}
