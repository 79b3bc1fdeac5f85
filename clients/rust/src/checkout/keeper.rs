//! Keeps the lease of a pool alive in the background, and tells what becomes of it.

use std::time::Duration;

use sprout_proto::pool::{ExtendPoolRequest, Pool, PoolState, WatchPoolResponse};
use tokio::{
    sync::watch::Sender,
    time::{Instant, sleep_until},
};

use super::{Lease, due::Due};
use crate::{
    connection::Connection,
    error::ClientError,
    reason::Reason,
    watch::{Watch, Watched},
};

/// Extends the lease at its half, and again after failures, until the pool is over.
pub(super) async fn keep(connection: Connection, id: u64, mut due: Due, lease: Sender<Lease>) {
    let mut watch = Watch::pool(&connection, id).known();
    let mut not_before = None;
    loop {
        let at = due.at(Instant::now()).max(due.at(Instant::now()).and(not_before));
        let news = tokio::select! {
            news = watch.next() => Some(news),
            () = until(at) => None,
        };
        match news {
            Some(Some(Ok(Watched::Message(WatchPoolResponse { pool: Some(pool), .. })))) => {
                if is_over(&pool) {
                    lease.send_replace(Lease::Over { why: why(&pool) });
                    return;
                }
                due.told(pool.leased_until);
                lease.send_if_modified(|lease| tell(lease, &due));
            }
            // Connections that come and go say nothing about the lease.
            Some(Some(Ok(_))) => {}
            Some(Some(Err(error))) if error.kind() == Some(Reason::PoolNotFound) => {
                lease.send_replace(Lease::Over { why: error.to_string() });
                return;
            }
            // The watch is refused, or ended: without it the lease is extended all the same.
            Some(Some(Err(_)) | None) => watch = Watch::pool(&connection, id).known_after(due.pause()),
            None => {
                let now = Instant::now();
                match extend(&connection, id, &mut due).await {
                    Ok(pool) => {
                        // The end of it counts from no earlier than now.
                        due.extended(now, pool.leased_until);
                        not_before = None;
                        lease.send_replace(Lease::Kept { until: due.until() });
                    }
                    Err(error) => {
                        not_before = Some(Instant::now() + due.pause());
                        lease.send_replace(Lease::Failing { error, until: due.until() });
                    }
                }
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Another end is news; that it could not be extended lately stays true until it was.
fn tell(lease: &mut Lease, due: &Due) -> bool {
    match lease {
        Lease::Kept { until } | Lease::Failing { until, .. } if *until != due.until() => *until = due.until(),
        _ => return false,
    }
    true
}

async fn extend(connection: &Connection, id: u64, due: &mut Due) -> Result<Pool, ClientError> {
    match extend_once(connection, id, due.lease()).await {
        Err(error) if error.kind() == Some(Reason::LeaseTooLong) => {
            // The group was changed meanwhile.
            let longest = error.refusal().and_then(|refusal| refusal.metadata.get("max_seconds")?.parse().ok());
            let Some(longest) = longest.map(Duration::from_secs) else { return Err(error) };
            due.shorten(longest);
            extend_once(connection, id, due.lease()).await
        }
        done => done,
    }
}

pub(super) async fn extend_once(connection: &Connection, id: u64, lease: Duration) -> Result<Pool, ClientError> {
    let request = ExtendPoolRequest { id, lease: Some(super::to_proto(lease)), never_expire: false };
    let answer = connection.pools().extend_pool(request).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    answer.pool.ok_or(ClientError::Incomplete { what: "pool" })
}

fn is_over(pool: &Pool) -> bool {
    matches!(pool.state(), PoolState::Ending | PoolState::Ended | PoolState::Failed)
}

fn why(pool: &Pool) -> String {
    if pool.status.is_empty() { "it was killed, or its lease ended".to_owned() } else { pool.status.clone() }
}
