//! Wake-ups within and between simulated servers: they take their time, and some get lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sprout_app::ports::{Bus, Topic};
use tokio::{sync::watch, time::sleep};

use crate::world::{Life, World};

/// One in so many wake-ups is lost in a storm.
const LOSSES: u32 = 6;

/// What all servers are connected to.
#[derive(Default)]
pub(crate) struct Exchange(Mutex<Vec<(Life, Arc<Waiting>)>>);

/// Who waits for what in one server. Each has a channel of its own, for those that share one are woken in an order that is not in our hands.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<(Topic, watch::Sender<u64>)>>);

impl Waiting {
    fn wake(&self, topics: &[Topic]) {
        let mut all = self.all();
        all.retain(|(_, sender)| !sender.is_closed());
        for (_, sender) in all.iter().filter(|(topic, _)| topics.contains(topic)) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<(Topic, watch::Sender<u64>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bus of one life of one server.
pub(crate) struct SimulatedBus {
    world: Arc<World>,
    life: Life,
    own: Arc<Waiting>,
    exchange: Arc<Exchange>,
}

impl SimulatedBus {
    pub(crate) fn new(world: Arc<World>, life: Life, exchange: Arc<Exchange>) -> Self {
        let own = Arc::new(Waiting::default());
        let mut all = exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(life, _)| !life.is_over());
        all.push((life.clone(), own.clone()));
        drop(all);
        Self { world, life, own, exchange }
    }
}

impl Bus for SimulatedBus {
    fn publish(&self, topics: &[Topic]) {
        if self.life.is_over() || topics.is_empty() {
            return;
        }
        if !self.world.mishap(LOSSES) {
            self.own.wake(topics);
        }
        for (life, other) in self.exchange.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if life.is_over() || life.name() == self.life.name() || self.world.mishap(LOSSES) {
                continue;
            }
            let (other, topics, wait) = (other.clone(), topics.to_vec(), self.world.some_time(0..5));
            tokio::spawn(async move {
                sleep(wait).await;
                other.wake(&topics);
            });
        }
    }

    fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        let (sender, receiver) = watch::channel(0);
        self.own.all().push((topic, sender));
        receiver
    }
}
