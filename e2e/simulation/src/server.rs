//! A simulated server: the real use cases, sessions, dispatcher and background activities over the real database, and a new life after each death.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sprout_app::{
    App,
    ports::{Listings, LogOf, LogStore, Ports},
};
use sprout_domain::{Catalogue, Result, catalogue::Source, catalogue_sync::Listing};
use sprout_fleet::Fleet;
use sprout_reconcile::Options;
use sprout_store::SeaStore;
use tokio::{
    select,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Exchange, SimulatedBus},
    check::Watch,
    gate::{Gate, Side},
    network::Network,
    world::{Life, World},
};

/// Providers are looked at this often.
const CHECKS: Duration = Duration::from_secs(20);
/// All that is on them is listed this often.
const REFRESHES: Duration = Duration::from_secs(15);
/// What ended is forgotten after this time: later than anyone looks at it.
const RESULTS: Duration = Duration::from_secs(24 * 3600);
/// A server that has not started within this time is given up.
const START: Duration = Duration::from_secs(30);

/// What servers stand on and are reached through.
pub(crate) struct Ground {
    pub(crate) world: Arc<World>,
    pub(crate) network: Network,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) store: SeaStore,
    pub(crate) catalogue: Mutex<Catalogue>,
    pub(crate) watch: Arc<Watch>,
    /// Servers that serve, by name.
    pub(crate) serving: Mutex<BTreeMap<String, (Life, Arc<App>)>>,
    /// The commit that kills its server, once.
    pub(crate) dies_at: Option<(u64, Side)>,
}

/// No group has a catalogue here.
#[derive(Debug)]
struct NoCatalogues;

#[async_trait]
impl Listings for NoCatalogues {
    async fn read(&self, _: &Source) -> Listing {
        Listing { failure: "there is none".to_owned(), ..Listing::default() }
    }
}

/// Nobody reads logs here.
struct NoLogs(watch::Sender<u64>);

#[async_trait]
impl LogStore for NoLogs {
    async fn append(&self, _: &LogOf, _: Vec<String>) {}

    async fn read(&self, _: &LogOf, position: u64, _: usize) -> Result<(Vec<String>, u64)> {
        Ok((Vec::new(), position))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Ground {
    /// All servers that live.
    pub(crate) fn all_servers(&self) -> Vec<(Life, Arc<App>)> {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        serving.values().filter(|(life, _)| !life.is_over()).cloned().collect()
    }

    /// Some server that lives.
    pub(crate) fn some_server(&self) -> Option<(Life, Arc<App>)> {
        self.world.choose(&self.all_servers())
    }

    /// Keeps a server running: each time it dies, it is started again after a while.
    pub(crate) async fn keep_server(self: Arc<Self>, name: &'static str) {
        loop {
            let life = Life::new(name);
            self.live(&life).await;
            life.end();
            let pause = if self.world.stormy() { self.world.some_time(10..4_000) } else { Duration::from_millis(500) };
            self.world.note(name, format_args!("is dead for {pause:?}"));
            sleep(pause).await;
        }
    }

    /// One life of a server.
    async fn live(self: &Arc<Self>, life: &Life) {
        let world = &self.world;
        let gate = Gate {
            world: world.clone(),
            life: life.clone(),
            watch: self.watch.clone(),
            dies_at: self.dies_at.filter(|(commit, _)| *commit > world.commits()),
        };
        let ports = Ports {
            store: Arc::new(self.store.clone().simulated(Arc::new(gate))),
            bus: Arc::new(SimulatedBus::new(world.clone(), life.clone(), self.exchange.clone())),
            logs: Arc::new(NoLogs(watch::Sender::new(0))),
        };
        let catalogue = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let app = select! {
            biased;
            () = life.over() => return,
            app = timeout(START, App::new(ports, catalogue)) => app,
        };
        let app = match app {
            Ok(Ok(app)) => app,
            Ok(Err(error)) => return world.note(life.name(), format_args!("does not start: {error}")),
            Err(_) => return world.note(life.name(), "does not start in time"),
        };
        let fleet = Fleet::new(app.clone(), "simulated");
        let holder = format!("{}-{}", life.name(), world.commits());
        let options = Options {
            check_interval: CHECKS,
            refresh_interval: REFRESHES,
            catalogue_interval: CHECKS,
            listings: Arc::new(NoCatalogues),
            keep_results: RESULTS,
            keep_audit: RESULTS,
            server: holder,
            index: None,
            ticks: false,
        };
        let mut activities = tokio::spawn(sprout_reconcile::run(app.clone(), options, CancellationToken::new()));
        let mut dispatcher = tokio::spawn(fleet.clone().run());
        self.network.join(life.clone(), fleet);
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).insert(life.name().to_owned(), (life.clone(), app));
        world.note(life.name(), "serves");
        select! {
            biased;
            () = life.over() => world.note(life.name(), "dies"),
            ended = &mut activities => world.violation(format!("{}: activities ended: {ended:?}", life.name())),
            ended = &mut dispatcher => world.violation(format!("{}: the dispatcher ended: {ended:?}", life.name())),
        }
        activities.abort();
        dispatcher.abort();
        // What it had spawned besides ends at its next transaction, which never begins.
    }
}
