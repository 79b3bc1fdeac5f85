//! Wake-ups within and between simulated servers: they take their time, and some get lost.

use std::sync::{Arc, Mutex, PoisonError};

use sprout_app::{
    LocalBus,
    ports::{Bus, Topic},
};
use tokio::{sync::watch, time::sleep};

use crate::world::{Life, World};

/// One in so many wake-ups is lost in a storm.
const LOSSES: u32 = 6;

/// What all servers are connected to.
#[derive(Default)]
pub(crate) struct Exchange(Mutex<Vec<(Life, Arc<LocalBus>)>>);

/// The bus of one life of one server.
pub(crate) struct SimulatedBus {
    world: Arc<World>,
    life: Life,
    own: Arc<LocalBus>,
    exchange: Arc<Exchange>,
}

impl SimulatedBus {
    pub(crate) fn new(world: Arc<World>, life: Life, exchange: Arc<Exchange>) -> Self {
        let own = Arc::new(LocalBus::default());
        let mut all = exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(life, _)| !life.is_over());
        all.push((life.clone(), own.clone()));
        drop(all);
        Self { world, life, own, exchange }
    }
}

impl Bus for SimulatedBus {
    fn publish(&self, topics: &[Topic]) {
        // The scheduler ticks by this machine's clock, which is not that of the simulation: jobs are found due by their sweep instead.
        let topics: Vec<_> = topics.iter().copied().filter(|topic| *topic != Topic::Jobs).collect();
        if self.life.is_over() || topics.is_empty() {
            return;
        }
        if !self.world.mishap(LOSSES) {
            self.own.publish(&topics);
        }
        for (life, bus) in self.exchange.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if life.is_over() || life.name() == self.life.name() || self.world.mishap(LOSSES) {
                continue;
            }
            let (bus, topics, wait) = (bus.clone(), topics.clone(), self.world.some_time(0..5));
            tokio::spawn(async move {
                sleep(wait).await;
                bus.publish(&topics);
            });
        }
    }

    fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.own.subscribe(topic)
    }
}
