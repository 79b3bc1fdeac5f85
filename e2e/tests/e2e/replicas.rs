//! Two servers, three workers, PostgreSQL, Redis: any of them is killed or taken away, and everything that was asked for still happens, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use sprout_app::ports::{EventFilter, Page, Store as _};
use sprout_client::{
    ClientError, Code, Connection, Watch, Watched,
    proto::{
        event::WatchRequest,
        pool::{GetPoolRequest, PoolState, RequestPoolRequest},
        task::{GetTaskRequest, ListTasksRequest, Task, TaskState},
        worker::{DrainWorkerRequest, GetWorkerRequest, RemoveWorkerRequest, UndrainWorkerRequest},
    },
};
use sprout_domain::{
    Secret,
    event::{Event, EventKind},
    job::JobRun,
};
use sprout_e2e::{GROUP, Installation, Installed, Plan, Private, installed, retry};
use sprout_store::{SeaStore, StoreOptions};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// What a look takes on a busy machine, beyond what is promised.
const SLACK: Duration = Duration::from_millis(1_500);

/// A watcher of all events, and how late it was told of each.
struct Watcher {
    told: Arc<Mutex<Vec<(u64, Duration)>>>,
    task: JoinHandle<()>,
}

impl Watcher {
    fn start(connection: &Connection) -> Self {
        let request = WatchRequest { after_sequence: Some(0), ..WatchRequest::default() };
        let (mut watch, told) = (Watch::events(connection, request), Arc::new(Mutex::new(Vec::new())));
        let to = told.clone();
        let task = tokio::spawn(async move {
            while let Some(watched) = watch.next().await {
                let Ok(Watched::Message(message)) = watched else { continue };
                let Some(event) = message.event else { continue };
                let at = event.happened_at.unwrap_or_default();
                let happened = Duration::new(at.seconds.cast_unsigned(), at.nanos.cast_unsigned());
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let late = now.saturating_sub(happened);
                to.lock().unwrap_or_else(PoisonError::into_inner).push((event.sequence, late));
            }
        });
        Self { told, task }
    }

    fn told(&self) -> Vec<(u64, Duration)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How late it was told, at most, of what came after this.
    fn late_since(&self, sequence: u64) -> Duration {
        let told = self.told();
        told.iter().filter(|(of, _)| *of > sequence).map(|(_, late)| *late).max().unwrap_or_default()
    }

    /// It was told of everything that is in the log, in order, and of nothing twice.
    async fn missed_nothing(&self, store: &SeaStore) -> Result<()> {
        let wanted: Vec<_> = events(store).await?.iter().map(|event| event.sequence.cast_unsigned()).collect();
        retry("the watcher is told of everything", async || {
            let told = self.told();
            let told: Vec<_> = told.iter().map(|(sequence, _)| *sequence).collect();
            // More may have happened meanwhile.
            ensure!(told.starts_with(&wanted), "of {} events it was told of {}", wanted.len(), told.len());
            Ok(())
        })
        .await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn store(plan: &Plan) -> Result<SeaStore> {
    Ok(SeaStore::open(&StoreOptions::new(Secret::new(&*plan.database))).await?)
}

/// The log itself, past everything that is tested.
async fn events(store: &SeaStore) -> Result<Vec<Event>> {
    Ok(store.read().await?.events_after(0, &EventFilter::default(), 1_000_000).await?)
}

/// Requests a pool, again and again with the same request id.
async fn request(client: &Connection, count: u32) -> Result<u64> {
    let request = RequestPoolRequest {
        request_id: uuid::Uuid::new_v4().to_string(),
        group: GROUP.into(),
        count,
        ..RequestPoolRequest::default()
    };
    let answer =
        retry("a pool is requested", async || Ok(client.pools().request_pool(request.clone()).await?.into_inner()))
            .await?;
    Ok(answer.pool.context("no pool")?.id)
}

async fn until_ready(client: &Connection, pools: &[u64]) -> Result<()> {
    for id in pools {
        let what = format!("pool {id} is ready");
        retry(&what, async || {
            let pool = client.pools().get_pool(GetPoolRequest { id: *id }).await?.into_inner().pool;
            let pool = pool.context("no pool")?;
            ensure!(pool.state() == PoolState::Ready, "it is {:?}: {}", pool.state(), pool.status);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Each step of each workflow was completed once, those of `deployed` appliances all.
fn completed_once(events: &[Event], deployed: usize) -> Result<()> {
    let mut done: BTreeMap<_, u32> = BTreeMap::new();
    for event in events.iter().filter(|event| event.fact.kind == EventKind::StepDone) {
        *done.entry((event.fact.workflow_id, event.fact.message.clone())).or_default() += 1;
    }
    let twice: Vec<_> = done.iter().filter(|(_, count)| **count > 1).collect();
    ensure!(twice.is_empty(), "completed twice: {twice:?}");
    let clones = done.keys().filter(|(_, message)| message.ends_with(": clone is done")).count();
    ensure!(clones == deployed, "{clones} clones for {deployed} appliances");
    Ok(())
}

/// Waits until steps of deployments end, so that what comes next comes in the midst of them.
async fn until_under_way(store: &SeaStore, steps: usize) -> Result<()> {
    for _ in 0..600 {
        let done = events(store).await?.iter().filter(|event| event.fact.kind == EventKind::StepDone).count();
        if done >= steps {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("deployments do not get on")
}

async fn server_killed_during_100_deployments(Installed { world, plan, .. }: &Installed) -> Result<()> {
    let store = store(plan).await?;
    let (first, other, both) = (world.client(0)?, world.client(1)?, world.client_of_all()?);
    // One has watched there all along; the other one must go there.
    let (stays, moves) = (Watcher::start(&other), Watcher::start(&both));
    let mut pools = Vec::new();
    for number in 0..10 {
        pools.push(request(if number % 2 == 0 { &first } else { &other }, 10).await?);
    }
    until_under_way(&store, 60).await?;
    world.servers[0].kill().await?;
    let before = events(&store).await?.len();
    until_ready(&other, &pools).await?;

    let log = events(&store).await?;
    ensure!(log.len() > before + 100, "when the server was killed, nearly everything was done already");
    completed_once(&log, 100)?;
    stays.missed_nothing(&store).await?;
    moves.missed_nothing(&store).await
}

/// Runs of the job that comes every second, the latest first; the server is told by its number.
async fn runs(store: &SeaStore, world: &Installation) -> Result<Vec<(usize, JobRun)>> {
    let runs = store.read().await?.job_runs("provider-check", Page { before: None, limit: 200 }).await?;
    let number = |run: &JobRun| {
        world.addresses.iter().position(|address| run.server.starts_with(&format!("{address} "))).context("a server")
    };
    runs.into_iter().map(|run| Ok((number(&run)?, run))).collect()
}

/// Waits until another server than this one has begun a run; returns how long that took.
async fn until_led_by(store: &SeaStore, world: &Installation, server: usize) -> Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if runs(store, world).await?.first().is_some_and(|(by, _)| *by == server) {
            return Ok(begun.elapsed());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("server {server} does not lead: {:?}", runs(store, world).await?.first())
}

async fn leadership_is_handed_over(Installed { world, plan, .. }: &Installed) -> Result<()> {
    let store = store(plan).await?;
    let leader = retry("a job is run", async || Ok(runs(&store, world).await?.first().context("none was")?.0)).await?;
    let other = 1 - leader;

    world.servers[leader].kill().await?;
    let taken = until_led_by(&store, world, other).await?;
    ensure!(taken <= Duration::from_secs(10) + SLACK, "a due job was run {taken:?} after its leader was killed");
    // The one that comes back does not take it.
    world.servers[leader].ensure_running().await?;
    world.client(leader)?;
    retry("the server is back", async || {
        Ok(world.client(leader)?.pools().list_pools(sprout_client::proto::pool::ListPoolsRequest::default()).await?)
    })
    .await?;
    sleep(Duration::from_secs(3)).await;
    ensure!(runs(&store, world).await?[0].0 == other, "the leadership was taken from one that has it");

    world.servers[other].stop().await?;
    let handed = until_led_by(&store, world, leader).await?;
    // At once; then the job is due within its period.
    let most = plan.check_interval + Duration::from_secs(2);
    ensure!(handed <= most, "a due job was run {handed:?} after its leader had ended");

    let runs = runs(&store, world).await?;
    let due: BTreeSet<_> = runs.iter().map(|(_, run)| run.due_at).collect();
    ensure!(due.len() == runs.len(), "run twice for one due time");
    let mut servers: Vec<_> = runs.iter().map(|(server, _)| *server).collect();
    servers.dedup();
    ensure!(servers == [leader, other, leader], "two servers ran jobs at the same time: {servers:?}");
    Ok(())
}

async fn redis_lost_and_back(test: &Installed) -> Result<()> {
    let (world, redis) = (&test.world, test.service()?);
    let store = store(&test.plan).await?;
    let clients = [world.client(0)?, world.client(1)?];
    let watchers = clients.each_ref().map(Watcher::start);
    let last = async || anyhow::Ok(store.read().await?.last_sequence().await?.cast_unsigned());
    // How late the watchers of both servers are told while a pool is deployed that one of them was asked for.
    let late = async |count: u32| {
        let since = last().await?;
        let pools = [request(&clients[0], count).await?, request(&clients[1], count).await?];
        until_ready(&clients[1], &pools).await?;
        for watcher in &watchers {
            watcher.missed_nothing(&store).await?;
        }
        anyhow::Ok(watchers.iter().map(|watcher| watcher.late_since(since)).max().unwrap_or_default())
    };
    late(5).await?;
    redis.signal("KILL").await?;
    let without = late(5).await?;
    ensure!(without <= Duration::from_secs(1) + SLACK, "without Redis a watcher was told {without:?} late");

    redis.revive().await?;
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        fastest = fastest.min(late(1).await?);
        if fastest < Duration::from_millis(500) {
            let log = events(&store).await?;
            return completed_once(&log, got_ready(&log));
        }
    }
    bail!("with Redis back, watchers are still told {fastest:?} late")
}

/// How many appliances got ready.
fn got_ready(events: &[Event]) -> usize {
    let ready =
        |event: &&Event| event.fact.kind == EventKind::ApplianceState && event.fact.state.as_deref() == Some("ready");
    events.iter().filter(ready).filter_map(|event| event.fact.appliance_id).collect::<BTreeSet<_>>().len()
}

async fn postgres_away_for_a_while(test: &Installed) -> Result<()> {
    let (world, plan, postgres) = (&test.world, &test.plan, test.service()?);
    let clients = [world.client(0)?, world.client(1)?];
    let mut pools = Vec::new();
    for number in 0..10 {
        pools.push(request(&clients[number % 2], 4).await?);
    }
    until_under_way(&store(plan).await?, 20).await?;

    postgres.signal("INT").await?;
    let (down, mut refused) = (Instant::now(), 0);
    while down.elapsed() < Duration::from_secs(4) {
        for client in &clients {
            let asked = Instant::now();
            let answer =
                timeout(Duration::from_secs(5), client.pools().get_pool(GetPoolRequest { id: pools[0] })).await;
            let Err(status) = answer.context("a call was not answered")? else { continue }; // before it was down
            let took = asked.elapsed();
            ensure!(took <= Duration::from_secs(1) + SLACK, "it took {took:?} to say that the database is away");
            let ClientError::Refused(refusal) = client.explain(status) else { bail!("the server is away, too") };
            ensure!(refusal.code == Code::Unavailable && refusal.retry_after.is_some(), "{refusal:?}");
            refused += 1;
        }
        sleep(Duration::from_millis(100)).await;
    }
    ensure!(refused >= 10, "only {refused} calls were refused");
    postgres.revive().await?;

    until_ready(&clients[0], &pools).await?;
    world.until_workers_are_there().await?;
    completed_once(&events(&store(plan).await?).await?, 40)
}

async fn tasks_of(client: &Connection, worker: &str) -> Result<Vec<Task>> {
    let answer = client.workers().get_worker(GetWorkerRequest { id: worker.to_owned() }).await?.into_inner();
    Ok(answer.tasks)
}

async fn worker_killed_with_long_steps(Installed { world, plan, .. }: &Installed) -> Result<()> {
    let client = world.client(1)?;
    let pool = request(&client, 12).await?;
    // Whose server claimed first has them all.
    let (worker, lost) = retry("a worker has steps", async || {
        for worker in &world.workers {
            let tasks = tasks_of(&client, &worker.name).await?;
            if tasks.iter().any(|task| task.step == "clone") {
                return Ok((worker, tasks));
            }
        }
        bail!("none has")
    })
    .await?;
    worker.kill().await?;
    let killed = Instant::now();
    for task in &lost {
        retry("the task is with another worker", async || {
            let answer = client.tasks().get_task(GetTaskRequest { id: task.id }).await?.into_inner();
            let now = answer.task.context("no task")?;
            let elsewhere = now.worker_id != task.worker_id && !now.worker_id.is_empty();
            ensure!(elsewhere || now.state() == TaskState::Done, "{now:?}");
            Ok(())
        })
        .await?;
    }
    let taken = killed.elapsed();
    ensure!(taken <= Duration::from_secs(10) + 2 * SLACK, "its tasks were with others only after {taken:?}");
    until_ready(&client, &[pool]).await?;
    completed_once(&events(&store(plan).await?).await?, 12)
}

async fn worker_drained_and_removed(Installed { world, .. }: &Installed) -> Result<()> {
    let client = world.client(1)?;
    let had = async |worker: &str| {
        let states = (1..=7).collect();
        let request = ListTasksRequest { states, worker_id: worker.to_owned(), page_size: 1_000, ..Default::default() };
        let tasks = client.tasks().list_tasks(request).await?.into_inner().tasks;
        anyhow::Ok(tasks.into_iter().map(|task| (task.id, task.epoch)).collect::<BTreeSet<_>>())
    };
    let drain = async |worker: &str| client.workers().drain_worker(DrainWorkerRequest { id: worker.to_owned() }).await;
    let drained = drain("worker-0").await?.into_inner().worker.context("a worker")?;
    ensure!(drained.drained, "{drained:?}");
    retry("the drained one has ended what it had", async || {
        let tasks = tasks_of(&client, "worker-0").await?;
        ensure!(tasks.is_empty(), "{tasks:?}");
        Ok(())
    })
    .await?;
    let before = had("worker-0").await?;
    let pool = request(&client, 9).await?;
    until_ready(&client, &[pool]).await?;
    ensure!(had("worker-0").await? == before, "a drained worker was given something");

    // With the others drained, what comes is all its own.
    client.workers().undrain_worker(UndrainWorkerRequest { id: "worker-0".into() }).await?;
    drain("worker-1").await?;
    drain("worker-2").await?;
    let pool = request(&client, 3).await?;
    until_ready(&client, &[pool]).await?;
    ensure!(had("worker-0").await?.len() >= before.len() + 3, "it is given nothing although it is drained no more");

    client.workers().remove_worker(RemoveWorkerRequest { id: "worker-1".into() }).await?;
    let status = world.workers[1].ended(Duration::from_secs(10)).await?;
    let log = world.workers[1].log()?;
    ensure!(!status.success() && log.contains("does not know the worker worker-1 any more"), "{status}: {log}");
    Ok(())
}

mod postgres {
    use super::{Duration, Plan, Private, installed};

    #[test]
    fn server_killed_during_100_deployments() {
        installed(Private::Nothing, |_| {}, super::server_killed_during_100_deployments);
    }

    #[test]
    fn leadership_is_handed_over() {
        let every_second = |plan: &mut Plan| plan.check_interval = Duration::from_secs(1);
        installed(Private::Nothing, every_second, super::leadership_is_handed_over);
    }

    #[test]
    fn redis_lost_and_back() {
        installed(Private::Redis, |_| {}, super::redis_lost_and_back);
    }

    #[test]
    fn postgres_away_for_a_while() {
        installed(Private::Postgres, |_| {}, super::postgres_away_for_a_while);
    }

    #[test]
    fn worker_killed_with_long_steps() {
        let slow = |plan: &mut Plan| plan.clone_latency = Duration::from_secs(12);
        installed(Private::Nothing, slow, super::worker_killed_with_long_steps);
    }

    #[test]
    fn worker_drained_and_removed() {
        installed(Private::Nothing, |_| {}, super::worker_drained_and_removed);
    }
}
