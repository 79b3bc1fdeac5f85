//! Appliances for as long as a program needs them: requested, waited for, kept, given back.

mod due;
mod keeper;

use std::time::Duration;

use sprout_proto::{
    appliance::{Appliance, HoldApplianceRequest},
    pool::{Pool, PoolState, RequestPoolRequest, WatchPoolResponse},
};
use tokio::{
    sync::watch::{Receiver, channel},
    task::JoinHandle,
    time::Instant,
};

use self::due::Due;
use crate::{
    connection::Connection,
    error::ClientError,
    pool::{self, Goal, PoolError},
    retry::Tries,
    watch::Watched,
};

/// A request whose program has gone is dropped after this time, unless the request says another one.
const KEEP_ALIVE: Duration = Duration::from_mins(2);
/// A server that restarts is waited for this long when appliances are to be given back, or held.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the lease of a checkout is.
#[derive(Clone, Debug)]
pub enum Lease {
    /// It runs, and is extended in time.
    Kept {
        /// Its end as the server has told last; none: it never ends.
        until: Option<prost_types::Timestamp>,
    },
    /// It could not be extended, which is tried again until it works.
    Failing {
        /// Why not.
        error: ClientError,
        /// Its end as the server has told last.
        until: Option<prost_types::Timestamp>,
    },
    /// The appliances are no longer the caller's: someone killed the pool, or its lease ended.
    Over {
        /// Why, for people.
        why: String,
    },
}

/// A pool that lives as long as this: while it waits the server is told that somebody does, its lease is extended at its
/// half in the background (again after failures), and it is given back in the end.
///
/// Give it back with [`release`](Self::release), and look at the outcome. Dropping it gives it back as far as that goes:
/// the call is sent by a task of its own, if a tokio runtime is still running, and nobody hears whether it came to
/// anything. What a program that was killed leaves ends by itself: a request that waits after its keep-alive, a pool
/// that is ready with its lease.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sprout_client::{Checkout, Connection, Settings, proto::pool::RequestPoolRequest};
///
/// let connection = Connection::open(Settings::new("http://127.0.0.1:7600"))?;
/// let request = RequestPoolRequest { group: "demo".into(), count: 2, ..Default::default() };
/// let mut checkout = Checkout::request(&connection, request).await?;
/// checkout.ready(|_| ()).await?;
/// for appliance in checkout.appliances() {
///     println!("{} answers at {}", appliance.name, appliance.url);
/// }
/// checkout.release().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Checkout {
    connection: Connection,
    pool: Pool,
    is_repeated: bool,
    /// When it was ready, if that was seen.
    ready_since: Option<Instant>,
    keep_alive: Duration,
    lease: Receiver<Lease>,
    keeper: Option<JoinHandle<()>>,
    /// It is to be given back.
    is_ours: bool,
}

impl Checkout {
    /// Requests a pool; repeated with the same request id when the answer is lost. Without a request id one is made; without
    /// a keep-alive it is two minutes.
    pub async fn request(connection: &Connection, mut request: RequestPoolRequest) -> Result<Self, ClientError> {
        if request.request_id.is_empty() {
            request.request_id = pool::new_request_id();
        }
        let keep_alive = from_proto(*request.keep_alive.get_or_insert_with(|| to_proto(KEEP_ALIVE)));
        let asked = Instant::now();
        let requested = pool::request(connection, &request).await?;
        let is_fresh = !requested.is_repeated && requested.pool.state() == PoolState::Ready;
        let until = requested.pool.leased_until;
        Ok(Self {
            connection: connection.clone(),
            is_repeated: requested.is_repeated,
            ready_since: is_fresh.then_some(asked),
            keep_alive,
            lease: channel(Lease::Kept { until }).1,
            keeper: None,
            is_ours: true,
            pool: requested.pool,
        })
    }

    /// The pool: as requested, then as it was when it became ready.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The server had seen the request id before, so this is a pool that was requested earlier.
    pub fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// Waits until all appliances are ready, and keeps their lease alive from then on; `told` hears of each change, and of
    /// lost connections, which end nothing. May be dropped, and called again.
    pub async fn ready(&mut self, mut told: impl FnMut(&Watched<WatchPoolResponse>)) -> Result<(), PoolError> {
        // One that wants nothing is over from the start, and one that is kept is ready.
        if self.pool.count == 0 || self.keeper.is_some() {
            return Ok(());
        }
        if self.pool.state() != PoolState::Ready {
            let id = self.pool.id;
            let (mut was_unready, mut ready_since) = (false, None);
            let waited = pool::wait(&self.connection, id, Goal::Ready, |watched| {
                match watched {
                    Watched::Message(WatchPoolResponse { pool: Some(pool), .. })
                        if pool.state() != PoolState::Ready =>
                    {
                        was_unready = true;
                    }
                    // What happened while nothing was heard happened at an unknown time.
                    Watched::Message(_) => ready_since = was_unready.then(Instant::now),
                    Watched::Lost(_) | Watched::Back => was_unready = false,
                }
                told(watched);
            });
            let waited = tokio::select! {
                waited = waited => waited,
                never = pool::keep_alive(&self.connection, id, self.keep_alive) => match never {},
            };
            match waited {
                Ok(pool) => (self.pool, self.ready_since) = (pool, ready_since),
                Err(error) => {
                    self.is_ours &= !matches!(error, PoolError::Missed { .. });
                    return Err(error);
                }
            }
        }
        let due = Due::new(from_proto(self.pool.lease.unwrap_or_default()), self.pool.leased_until, self.ready_since);
        let (tell, lease) = channel(Lease::Kept { until: due.until() });
        self.lease = lease;
        self.keeper = Some(tokio::spawn(keeper::keep(self.connection.clone(), self.pool.id, due, tell)));
        Ok(())
    }

    /// The appliances, once they are ready.
    pub fn appliances(&self) -> &[Appliance] {
        &self.pool.appliances
    }

    /// How the lease is.
    pub fn lease(&self) -> Lease {
        self.lease.borrow().clone()
    }

    /// How the lease is once that has changed; never returns after the lease is over. May be dropped and called again.
    pub async fn lease_changed(&mut self) -> Lease {
        match self.lease.changed().await {
            Ok(()) => self.lease.borrow_and_update().clone(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the appliances back: ends the pool, whatever it is doing. A server that restarts is waited for, half a minute.
    /// If it fails nevertheless, the pool ends with its lease.
    pub async fn release(mut self) -> Result<Pool, ClientError> {
        self.stop_keeping();
        let released = pool::kill_in(&self.connection, self.pool.id, Tries::patient(PATIENCE)).await;
        self.is_ours = false;
        released
    }

    /// Leaves the pool to itself: it is not given back, and its lease is no longer extended.
    pub fn leave(mut self) -> Pool {
        self.stop_keeping();
        self.is_ours = false;
        std::mem::take(&mut self.pool)
    }

    /// Leaves the appliances where they are for somebody to look at: each is held for `time`, and its lease ends, so that
    /// nothing is left after it. If not all can be held (there is a limit per user), the lease lasts for `time` instead.
    pub async fn hold(mut self, reason: &str, time: Duration) -> Result<Pool, ClientError> {
        self.stop_keeping();
        // Whatever comes now, this is to be looked at; what cannot be kept ends with its lease.
        self.is_ours = false;
        let held = self.hold_each(reason, time).await;
        let lease = if held.is_ok() { Duration::from_secs(1) } else { time };
        match (self.extend(lease).await, held) {
            (Ok(pool), _) => Ok(pool),
            // They are held, and that is what counts: the lease that goes on for a while does no harm.
            (Err(_), Ok(())) => Ok(std::mem::take(&mut self.pool)),
            (Err(_), Err(error)) => Err(error),
        }
    }

    async fn hold_each(&self, reason: &str, time: Duration) -> Result<(), ClientError> {
        for appliance in &self.pool.appliances {
            let request =
                HoldApplianceRequest { id: appliance.id, reason: reason.to_owned(), time: Some(to_proto(time)) };
            let mut tries = Tries::patient(PATIENCE);
            while let Err(status) = self.connection.appliances().hold_appliance(request.clone()).await {
                tries.again(self.connection.explain(status)).await?;
            }
        }
        Ok(())
    }

    async fn extend(&self, lease: Duration) -> Result<Pool, ClientError> {
        let mut tries = Tries::patient(PATIENCE);
        loop {
            match keeper::extend_once(&self.connection, self.pool.id, lease).await {
                Err(error) => tries.again(error).await?,
                extended => return extended,
            }
        }
    }

    fn stop_keeping(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.stop_keeping();
        if !std::mem::take(&mut self.is_ours) {
            return;
        }
        // Without a runtime nothing can be sent any more; the lease ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (connection, id) = (self.connection.clone(), self.pool.id);
            runtime.spawn(async move { pool::kill_in(&connection, id, Tries::patient(PATIENCE)).await });
        }
    }
}

fn to_proto(time: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: time.subsec_nanos().cast_signed(),
    }
}

fn from_proto(time: prost_types::Duration) -> Duration {
    Duration::new(time.seconds.try_into().unwrap_or_default(), time.nanos.try_into().unwrap_or_default())
}
