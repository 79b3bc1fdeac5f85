//! A simulated worker: the real session, executor and steps, over the simulated network and against simulated providers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sprout_proto::worker::{Hello, provider_access::Settings};
use sprout_worker::{
    Drivers, Leave, Options,
    driver::{Driver, DriverError},
    link::{Connector, Link},
};
use tokio::{select, sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{driver::SimulatedDriver, provider::Provider, server::Ground, world::Life};

/// The type under which simulated providers are configured.
pub(crate) const DRIVER: &str = "container";
/// A worker that was told to leave is gone by then.
const FAREWELL: Duration = Duration::from_secs(40);

/// All providers, by key.
pub(crate) type Providers = Arc<BTreeMap<String, Arc<Provider>>>;

/// A way to tell a worker to leave.
#[derive(Clone)]
pub(crate) struct Farewell {
    pub(crate) level: watch::Sender<Leave>,
    /// For who looks whether it does: of two that wait for the level, chance would have it who is woken first.
    pub(crate) told: CancellationToken,
}

/// Workers that live, by name.
#[derive(Default)]
pub(crate) struct Workers(Mutex<BTreeMap<String, (Life, Farewell)>>);

impl Workers {
    /// Some worker that lives.
    pub(crate) fn some(&self, ground: &Ground) -> Option<(Life, Farewell)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<_> = all.values().filter(|(life, _)| !life.is_over()).cloned().collect();
        ground.world.choose(&alive)
    }
}

/// A worker's way to the servers.
struct Way {
    ground: Arc<Ground>,
    life: Life,
}

#[async_trait]
impl Connector for Way {
    fn server(&self) -> &'static str {
        "some server"
    }

    async fn connect(&self, hello: Hello) -> Result<Link, Status> {
        self.ground.network.connect(&self.ground.world, &self.life, hello).await
    }
}

/// Keeps a worker running: each time it dies or leaves, it is started again after a while.
pub(crate) async fn keep_worker(
    ground: Arc<Ground>,
    workers: Arc<Workers>,
    providers: Providers,
    name: &'static str,
    slots: u32,
) {
    let world = ground.world.clone();
    loop {
        let life = Life::new(name);
        let (sender, level) = watch::channel(Leave::Stay);
        let farewell = Farewell { level: sender, told: CancellationToken::new() };
        let known = (life.clone(), farewell.clone());
        workers.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known);
        let way = Way { ground: ground.clone(), life: life.clone() };
        let options = options(name, slots, drivers(&providers, &life));
        world.note(name, "begins");
        let mut running = tokio::spawn(sprout_worker::run_over(options, vec![Box::new(way)], level));
        let told = async {
            farewell.told.cancelled().await;
            sleep(FAREWELL).await;
        };
        select! {
            biased;
            () = life.over() => world.note(name, "dies"),
            ended = &mut running => world.note(name, format_args!("has left: {ended:?}")),
            () = told => world.violation(format!("{name} was told to leave and did not within {FAREWELL:?}")),
        }
        life.end();
        running.abort();
        let pause = if world.stormy() { world.some_time(10..6_000) } else { Duration::from_millis(500) };
        sleep(pause).await;
    }
}

fn options(name: &str, slots: u32, drivers: Drivers) -> Options {
    Options {
        servers: Vec::new(),
        ca: None,
        id: name.to_owned(),
        identity: sprout_worker::Identity::Credential("simulated".to_owned().into()),
        labels: HashMap::new(),
        slots,
        kill_slots: 2,
        drivers,
    }
}

fn drivers(providers: &Providers, life: &Life) -> Drivers {
    let (providers, life) = (providers.clone(), life.clone());
    Drivers::new([DRIVER], move |settings| {
        let key = match settings {
            Settings::Container(settings) => settings.socket.clone(),
            _ => String::new(),
        };
        let provider =
            providers.get(&key).cloned().ok_or_else(|| DriverError::unsupported("simulated", "be anything else"))?;
        Ok(Arc::new(SimulatedDriver { provider, life: life.clone() }) as Arc<dyn Driver>)
    })
}
