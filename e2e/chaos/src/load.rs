//! Users who request pools, use them and give them back, whatever happens; and someone who watches all events.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use sprout_client::{
    Connection,
    proto::{
        appliance::ApplianceState,
        event::WatchRequest,
        pool::{
            ExplainPoolRequest, ExtendPoolRequest, GetPoolRequest, KillPoolRequest, Pool, PoolState, RequestPoolRequest,
        },
    },
};
use sprout_e2e::{GROUP, retry};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::World;

/// A call that is not answered within this time is repeated.
const PATIENCE: Duration = Duration::from_secs(10);
/// A pool that is still not ready after this long, with everything healthy, waits for ever.
const LONGEST: Duration = Duration::from_secs(900);
/// When the faults are over, a pool that still waits after this long may be waiting for a machine that will never have an address, which steps give
/// ten minutes. It need not be waited for, if it says what it waits for.
const EXPLAINED: Duration = Duration::from_secs(120);

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Calls answered.
    pub(crate) calls: u64,
    /// Calls that had to be repeated.
    pub(crate) repeated: u64,
    /// Pools that were requested, with the last that was seen of each.
    pub(crate) pools: BTreeMap<u64, PoolState>,
    /// Requests that were refused because the provider was away.
    pub(crate) refused: u64,
    /// Pools that got ready.
    pub(crate) ready: u64,
    /// Pools that were not, and said why, when the faults had been over for a while.
    pub(crate) explained: u64,
    /// What was wrong.
    pub(crate) violations: Vec<String>,
    /// Sequences of all events, as the watcher was told them.
    pub(crate) watched: Vec<u64>,
}

pub(crate) struct Load {
    over: watch::Sender<bool>,
    users: JoinSet<Result<()>>,
    watcher: JoinSet<Result<()>>,
    served: Arc<Mutex<Served>>,
}

impl Load {
    pub(crate) fn start(world: &World, users: u32, seed: u64) -> Result<Self> {
        let (over, served) = (watch::Sender::new(false), Arc::new(Mutex::new(Served::default())));
        let mut load = Self { over, users: JoinSet::new(), watcher: JoinSet::new(), served };
        for number in 0..users {
            let user = User {
                clients: vec![world.installation.client(0)?, world.installation.client(1)?],
                random: fastrand::Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(u64::from(number))),
                served: load.served.clone(),
                over: load.over.subscribe(),
            };
            load.users.spawn_local(user.work());
        }
        let (clients, served) =
            (vec![world.installation.client(0)?, world.installation.client(1)?], load.served.clone());
        load.watcher.spawn(watch_all(clients, served));
        Ok(load)
    }

    /// Lets the users end what they do; returns what became of everything.
    pub(crate) async fn finish(mut self) -> Result<Served> {
        self.over.send_replace(true);
        while let Some(user) = self.users.join_next().await {
            user??;
        }
        self.catch_up().await?;
        self.watcher.shutdown().await;
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *served))
    }

    /// Waits until the watcher was told of everything that has happened.
    async fn catch_up(&self) -> Result<()> {
        retry("the watcher is told of everything", async || {
            let before = last(&self.served);
            sleep(Duration::from_secs(3)).await;
            anyhow::ensure!(before == last(&self.served), "events still come");
            Ok(())
        })
        .await
    }
}

fn last(served: &Mutex<Served>) -> Option<u64> {
    served.lock().unwrap_or_else(PoisonError::into_inner).watched.last().copied()
}

struct User {
    clients: Vec<Connection>,
    random: fastrand::Rng,
    served: Arc<Mutex<Served>>,
    over: watch::Receiver<bool>,
}

impl User {
    async fn work(mut self) -> Result<()> {
        while !*self.over.borrow() {
            let Some(pool) = self.request().await? else {
                self.pause(200, 1_000).await;
                continue;
            };
            let pool = self.until_settled(pool).await?;
            if pool.state() == PoolState::Ready {
                self.note(|served| served.ready += 1);
                self.use_it(pool.id).await?;
            }
            self.pause(0, 1_000).await;
        }
        Ok(())
    }

    /// `None`: it was refused, and told why.
    async fn request(&mut self) -> Result<Option<Pool>> {
        let lease = self.random.i64(8..60);
        let request = RequestPoolRequest {
            request_id: uuid::Uuid::new_v4().to_string(),
            group: GROUP.into(),
            count: self.random.u32(1..=3),
            lease: Some(prost_types::Duration { seconds: lease, nanos: 0 }),
            ..RequestPoolRequest::default()
        };
        let answer = self.call(async |client| client.pools().request_pool(request.clone()).await).await?;
        let answer = match answer {
            Ok(answer) => answer,
            // While the provider is away nothing can be promised. Anything else is a mistake.
            Err(refusal)
                if refusal.get_error_details().error_info().is_some_and(|i| i.reason == "PROVIDER_NOT_USABLE") =>
            {
                self.note(|served| served.refused += 1);
                return Ok(None);
            }
            Err(refusal) => anyhow::bail!("a request was refused: {refusal}"),
        };
        let pool = answer.into_inner().pool.context("no pool")?;
        self.seen(&pool);
        Ok(Some(pool))
    }

    async fn until_settled(&mut self, mut pool: Pool) -> Result<Pool> {
        let begun = Instant::now();
        while matches!(pool.state(), PoolState::Waiting | PoolState::Provisioning) {
            if begun.elapsed() > LONGEST {
                let message = format!("pool {} is {:?} for ever: {}", pool.id, pool.state(), pool.status);
                self.note(|served| served.violations.push(message));
                break;
            }
            if *self.over.borrow() && begun.elapsed() > EXPLAINED {
                self.explained(pool.id).await?;
                break;
            }
            self.pause(100, 600).await;
            pool = self.look(pool.id).await?;
        }
        if pool.state() == PoolState::Failed && pool.status.is_empty() {
            let message = format!("pool {} failed without a reason", pool.id);
            self.note(|served| served.violations.push(message));
        }
        Ok(pool)
    }

    async fn explained(&mut self, id: u64) -> Result<()> {
        let ask = ExplainPoolRequest { id };
        let answer = self.call(async |client| client.pools().explain_pool(ask).await).await?;
        let told = answer.context("a pool vanished")?.into_inner();
        let pool = told.pool.context("no pool")?;
        let mut waits = pool.appliances.iter().filter(|appliance| appliance.state() != ApplianceState::Ready);
        let says = !told.reasons.is_empty() || waits.any(|appliance| !appliance.status.is_empty());
        self.note(|served| {
            if says || pool.state() == PoolState::Ready {
                served.explained += 1;
            } else {
                served.violations.push(format!("pool {id} does not say why it waits"));
            }
        });
        Ok(())
    }

    async fn look(&mut self, id: u64) -> Result<Pool> {
        let answer = self.call(async |client| client.pools().get_pool(GetPoolRequest { id }).await).await?;
        let pool = answer.context("a pool vanished")?.into_inner().pool.context("no pool")?;
        self.seen(&pool);
        Ok(pool)
    }

    /// Uses it for a while; then gives it back, or lets its lease end.
    async fn use_it(&mut self, id: u64) -> Result<()> {
        self.pause(0, 4_000).await;
        if self.random.f64() < 0.3 {
            let lease = Some(prost_types::Duration { seconds: 20, nanos: 0 });
            // Refused where the lease has ended meanwhile.
            drop(
                self.call(async |client| {
                    client.pools().extend_pool(ExtendPoolRequest { id, lease, never_expire: false }).await
                })
                .await?,
            );
        }
        if self.random.f64() < 0.7 {
            drop(self.call(async |client| client.pools().kill_pool(KillPoolRequest { id }).await).await?);
        }
        Ok(())
    }

    /// Calls one server or the other until one answers, or refuses.
    async fn call<T>(
        &mut self,
        call: impl AsyncFn(&Connection) -> Result<T, Status>,
    ) -> Result<std::result::Result<T, Status>> {
        let mut server = self.random.usize(..);
        for _ in 0..10_000 {
            let client = &self.clients[server % self.clients.len()];
            match timeout(PATIENCE, call(client)).await {
                Ok(Ok(answer)) => {
                    self.note(|served| served.calls += 1);
                    return Ok(Ok(answer));
                }
                Ok(Err(status))
                    if matches!(status.code(), Code::FailedPrecondition | Code::NotFound | Code::InvalidArgument) =>
                {
                    self.note(|served| served.calls += 1);
                    return Ok(Err(status));
                }
                Ok(Err(status)) if may_pass(&status) => self.note(|served| served.repeated += 1),
                Ok(Err(status)) => {
                    let message = format!("a call ended with {:?}: {}", status.code(), status.message());
                    self.note(|served| {
                        served.repeated += 1;
                        served.violations.push(message);
                    });
                }
                Err(_) => self.note(|served| served.repeated += 1),
            }
            server = server.wrapping_add(1);
            self.pause(50, 500).await;
        }
        anyhow::bail!("nobody answers")
    }

    async fn pause(&mut self, from: u64, to: u64) {
        sleep(Duration::from_millis(self.random.u64(from..to))).await;
    }

    fn seen(&self, pool: &Pool) {
        self.note(|served| {
            served.pools.insert(pool.id, pool.state());
        });
    }

    fn note(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.served.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a connection that was cut or a server that was killed may be told as.
fn may_pass(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
        // A connection that broke in the middle of an answer.
        || (matches!(status.code(), Code::Unknown | Code::Internal) && status.details().is_empty())
}

/// Reads all events on one server or the other, resuming where it was.
async fn watch_all(clients: Vec<Connection>, served: Arc<Mutex<Served>>) -> Result<()> {
    let mut after = 0;
    for server in 0.. {
        let client = &clients[server % clients.len()];
        let request = WatchRequest { after_sequence: Some(after), ..WatchRequest::default() };
        if let Ok(Ok(stream)) = timeout(PATIENCE, client.events().watch(request)).await {
            let mut stream = stream.into_inner();
            while let Ok(Ok(Some(message))) = timeout(PATIENCE, stream.message()).await {
                after = message.sequence.max(after);
                if let Some(event) = message.event {
                    served.lock().unwrap_or_else(PoisonError::into_inner).watched.push(event.sequence);
                }
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
