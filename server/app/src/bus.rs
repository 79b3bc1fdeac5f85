//! The bus within one process.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::ports::{Bus, Topic};

/// Wakes whoever waits in this process. Wake-ups that come while nobody looks count as one.
#[derive(Debug)]
pub struct LocalBus(BTreeMap<Topic, watch::Sender<u64>>);

impl Default for LocalBus {
    fn default() -> Self {
        Self(Topic::ALL.into_iter().map(|topic| (topic, watch::Sender::new(0))).collect())
    }
}

impl Bus for LocalBus {
    fn publish(&self, topics: &[Topic]) {
        for topic in topics {
            if let Some(sender) = self.0.get(topic) {
                sender.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }

    fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        // Every topic has a sender; a receiver whose sender is gone would only mean that the periodic look is left.
        self.0.get(&topic).map_or_else(|| watch::channel(0).1, watch::Sender::subscribe)
    }
}
