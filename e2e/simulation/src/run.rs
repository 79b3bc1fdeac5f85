//! One run: a world from a seed, its day, the calm after it, and what is found then.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result};
use sprout_app::ports::Store as _;
use sprout_domain::{
    ApplianceId, Catalogue,
    group::{Group, TemplatePattern},
    provider::{ProviderSettings, ProviderSpec},
    shepherd::{Flock, Shepherd},
    user::{Role, User},
};
use sprout_store::SeaStore;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    check::Watch,
    client::{self, Told, call},
    database::{Database, Opened},
    gate::Side,
    network::Network,
    provider::{Mishap, Provider},
    server::Ground,
    storm,
    worker::{DRIVER, Providers, Workers, keep_worker},
    world::World,
};

const SERVERS: [&str; 2] = ["server-1", "server-2"];
const WORKERS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];
/// After things went wrong all is quiet again within this time.
const QUIET: Duration = Duration::from_secs(3_600);
/// A single request is fulfilled, or has failed, within this time.
const DAY: Duration = Duration::from_secs(3_600);

/// What is to happen in a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance comes from here.
    pub seed: u64,
    /// Things go wrong by chance.
    pub storm: bool,
    /// The commit that kills its server.
    pub dies_at: Option<(u64, Side)>,
    /// Calls of the first provider that go wrong, in this order.
    pub orders: Vec<(&'static str, Mishap)>,
    /// Keep the whole trace.
    pub whole_trace: bool,
}

impl Plan {
    /// A stormy day.
    pub fn storm(seed: u64) -> Self {
        Self { seed, storm: true, dies_at: None, orders: Vec::new(), whole_trace: false }
    }

    /// One server, one worker, one provider, one pool of one that is then killed, and nothing goes wrong by chance.
    pub fn calm(seed: u64) -> Self {
        Self { storm: false, ..Self::storm(seed) }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What happened and must never.
    pub violations: Vec<String>,
    /// The same for the same seed.
    pub hash: u64,
    /// The last lines of what happened, or all of them.
    pub trace: Vec<String>,
    /// Commits of all servers.
    pub commits: u64,
    /// How long it took, in its own time.
    pub elapsed: Duration,
    /// State in which the pool of a calm day was before it was killed.
    pub pool: Option<String>,
    /// How often each call changed the first provider, and the most it did to one machine.
    pub acts: BTreeMap<&'static str, (u32, u32)>,
}

/// Runs a plan on a database, of which nobody else may make use meanwhile. `outside` is where the database is driven.
///
/// # Errors
/// If the simulation itself fails.
pub fn run(outside: &Runtime, database: &Database, plan: &Plan) -> Result<Report> {
    fastrand::seed(plan.seed);
    let opened = outside.block_on(database.open())?;
    let inside = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let report = inside.block_on(live(outside, &opened, plan));
    {
        // What the run leaves is dropped where databases work.
        let _outside = outside.enter();
        drop(inside);
    }
    outside.block_on(opened.close())?;
    report
}

async fn live(outside: &Runtime, opened: &Opened, plan: &Plan) -> Result<Report> {
    let world = World::new(plan.seed, outside.handle().clone(), plan.whole_trace);
    let (servers, workers, keys) = if plan.storm {
        (1 + world.number(0..2) as usize, 1 + world.number(0..3) as usize, 1 + world.number(0..2) as usize)
    } else {
        (1, 1, 1)
    };
    let keys = &["lab-a", "lab-b"][..keys];
    let provider = |key: &&str| {
        let templates = ["cold-1.0", "warm-1.0"];
        ((*key).to_owned(), Provider::new(key, &templates, world.clone()))
    };
    let providers: Providers = Arc::new(keys.iter().map(provider).collect());
    let first = providers.values().next().cloned().context("no provider")?;
    plan.orders.iter().for_each(|(call, mishap)| first.order(call, *mishap));
    let user = world.beside(new_user(opened))?;
    world.beside(keep_warm(&opened.store, if plan.storm { 2 } else { 0 }))?;
    let ground = Arc::new(Ground {
        world: world.clone(),
        network: Network::default(),
        exchange: Arc::default(),
        store: opened.store.clone(),
        catalogue: Mutex::new(catalogue(&world, keys, plan.storm)?),
        watch: Arc::new(Watch { database: opened.beside.clone() }),
        serving: Mutex::default(),
        dies_at: plan.dies_at,
    });
    let everyone = Arc::new(Workers::default());
    let mut processes = JoinSet::new();
    for name in &SERVERS[..servers] {
        processes.spawn(ground.clone().keep_server(name));
    }
    for name in &WORKERS[..workers] {
        let slots = if plan.storm { world.number(2..12) } else { 4 };
        processes.spawn(keep_worker(ground.clone(), everyone.clone(), providers.clone(), name, slots));
    }
    let told = Arc::new(Told::default());
    let mut pool = None;
    if plan.storm {
        let mut people = JoinSet::new();
        for number in 0..world.number(1..5) {
            people.spawn(client::day(ground.clone(), told.clone(), user.clone(), number, world.number(1..4)));
        }
        let time = world.some_time(6_000..25_000);
        storm::blow(&ground, &everyone, &providers, time).await;
        if timeout(DAY, people.join_all()).await.is_err() {
            world.violation("a request was never answered".to_owned());
        }
    } else {
        pool = client::simple_day(&ground, &told, &user, DAY).await;
    }
    quiet(&ground, &providers).await?;
    world.beside(ground.watch.inspect(&world, providers.values()))?;
    let known = world.beside(ground.watch.column::<i64>("select id from pools"))?;
    for (request, id) in told.all() {
        if !known.contains(&id.0) {
            world.violation(format!("request {request} was told of pool {id}, which is lost"));
        }
    }
    clear(&ground, &user).await?;
    quiet(&ground, &providers).await?;
    world.beside(ground.watch.inspect(&world, providers.values()))?;
    for what in world.beside(ground.watch.left())? {
        world.violation(format!("{what} after all was killed"));
    }
    let (hash, trace) = world.trace();
    let calls = ["clone", "tag", "start", "stop", "delete"];
    Ok(Report {
        violations: world.violations(),
        hash,
        trace,
        commits: world.commits(),
        elapsed: world.elapsed(),
        pool,
        acts: calls.into_iter().map(|call| (call, first.acts(call))).collect(),
    })
}

/// Waits until nothing is under way any more, and the janitor has deleted what was left behind.
async fn quiet(ground: &Ground, providers: &Providers) -> Result<()> {
    let (world, begun) = (&ground.world, Instant::now());
    loop {
        let mut unquiet = world.beside(ground.watch.unquiet())?;
        unquiet.extend(world.beside(ground.watch.left_behind(providers.values()))?);
        if unquiet.is_empty() {
            world.note("world", format_args!("is quiet after {:?}", begun.elapsed()));
            return Ok(());
        }
        if begun.elapsed() > QUIET {
            for what in unquiet {
                world.violation(what);
            }
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Has everything killed: first nothing is kept warm any more, then whatever is there.
async fn clear(ground: &Ground, user: &User) -> Result<()> {
    ground.world.beside(keep_warm(&ground.store, 0))?;
    let there = "select id from appliances where state <> 'gone'";
    for id in ground.world.beside(ground.watch.column::<i64>(there))? {
        let killed = call(ground, |app| async move { app.kill_appliance(user, ApplianceId(id)).await }).await;
        if let Err(error) = killed {
            ground.world.violation(format!("appliance {id} could not be killed: {error:?}"));
        }
    }
    Ok(())
}

/// Someone who may do everything; made without hashing a password, which takes longer than all the rest.
async fn new_user(opened: &Opened) -> Result<User> {
    let mut tx = opened.store.write().await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let user = tx.insert_user("ann", "none", Role::Superuser).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    tx.commit().await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(user)
}

/// Has so many of the group kept warm that is.
async fn keep_warm(store: &SeaStore, count: u32) -> Result<()> {
    let (group, flock) = ("warm".into(), Flock::Everyone);
    let shepherd = Shepherd { group, flock, preconfigured: count, unconfigured: 0, demand: None };
    let mut tx = store.write().await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    tx.set_shepherd(&shepherd).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    tx.commit().await.map_err(|error| anyhow::anyhow!("{error:?}"))
}

fn catalogue(world: &World, keys: &[&str], storm: bool) -> Result<Catalogue> {
    let group = |name: &str| -> Result<_> {
        let pattern = TemplatePattern::new(&format!("{name}-(?<version>.*)"))?;
        let group = Group {
            name: name.into(),
            pattern: Some(pattern),
            default_lease: Duration::from_secs(3600),
            max_lease: Duration::from_secs(7200),
            reminders: vec![Duration::from_secs(600)],
            quarantine_failures: 3,
            deploy_limit: std::time::Duration::from_secs(3600),
            template_obsolete_days: None,
            template_obsolete_days_delete: None,
            proof_limit: if storm {
                Duration::from_secs(world.number(1..120).into())
            } else {
                Duration::from_secs(3600)
            },
            endpoints: Vec::new(),
            probes: Vec::new(),
            preparation: sprout_domain::preparation::Preparation::default(),
        };
        Ok((group.name.clone(), group))
    };
    let provider = |key: &&str| {
        let spec = ProviderSpec {
            key: (*key).into(),
            name: (*key).to_owned(),
            provisioning_limit: if storm { world.number(1..5) } else { 2 },
            // Who waits for room may wait as long as others keep it, which no run does.
            appliance_limit: None,
            memory_limit_mib: None,
            cpu_limit: None,
            circuit_failures: 5,
            configuring_limit: 1,
            template_name_limit: None,
            container_base_template: None,
            disabled: false,
            settings: ProviderSettings::Container {
                socket: (*key).to_owned(),
                publish_address: "192.0.2.1".to_owned(),
                memory_mib: 0,
                cpus: 0,
            },
        };
        debug_assert_eq!(spec.settings.driver(), DRIVER);
        (spec.key.clone(), spec)
    };
    Ok(Catalogue {
        groups: [group("cold")?, group("warm")?].into(),
        providers: keys.iter().map(provider).collect(),
        orphan_grace: Duration::from_secs(60),
        ..Catalogue::default()
    })
}
