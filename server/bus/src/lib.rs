//! Wake-ups between server replicas, through Redis publish/subscribe.
//!
//! Redis carries hints only. While it is away every replica still wakes itself, and the others look at the database once a second anyway; when it is back,
//! each replica wakes everything once, because it cannot know what it missed. Nothing here ever makes a caller wait.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fred::{
    clients::Client,
    interfaces::{ClientLike as _, EventInterface as _, PubsubInterface as _},
    types::{Builder, config::Config, config::ReconnectPolicy},
};
use sprout_app::{
    LocalBus,
    ports::{Bus, Topic},
};
use sprout_domain::{Error, Reason, Result, Secret};
use tokio::sync::{Notify, watch};

/// Waits between tries to reconnect: from, to, in milliseconds.
const RECONNECT_MS: (u32, u32) = (50, 1_000);
/// A connection on which Redis leaves something unanswered for this long is given up, and made anew.
const UNRESPONSIVE: Duration = Duration::from_secs(2);
/// Commands that wait for a connection at most: what is older is not worth sending.
const WAITING: usize = 16;
/// A wake-up that Redis did not take within this time is given up: the other replicas look by themselves before that.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Wakes this process and all other replicas that use the same Redis and channel.
pub struct RedisBus {
    local: Arc<LocalBus>,
    outgoing: Arc<Outgoing>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Topics to publish; those that gather while Redis is busy count as one.
#[derive(Default)]
struct Outgoing {
    topics: std::sync::Mutex<BTreeSet<Topic>>,
    more: Notify,
}

impl RedisBus {
    /// Begins to connect to `redis://…` and returns at once, whether Redis answers or not. `installation` keeps apart those that share a Redis.
    pub fn connect(url: &Secret, installation: &str) -> Result<Self> {
        let message =
            "the Redis URL cannot be used; it looks like redis://USER:PASSWORD@HOST:PORT/, or rediss://… with TLS";
        let unusable =
            |error: fred::error::Error| Error::new(Reason::InvalidArgument, message).because(error.details());
        if !url.expose().starts_with("redis") {
            return Err(Error::new(Reason::InvalidArgument, message)); // fred would take any scheme
        }
        let mut config = Config::from_url(url.expose()).map_err(unusable)?;
        config.fail_fast = false; // a Redis that comes up after us is found, too
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(2);
                connection.internal_command_timeout = Duration::from_secs(2);
                connection.unresponsive.max_timeout = Some(UNRESPONSIVE);
                connection.unresponsive.interval = UNRESPONSIVE / 4;
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = WAITING;
            })
            .with_performance_config(|performance| performance.default_command_timeout = PUBLISH_TIMEOUT)
            .set_policy(ReconnectPolicy::new_exponential(0, RECONNECT_MS.0, RECONNECT_MS.1, 2))
            .build()
            .map_err(unusable)?;
        let subscriber = client.clone_new();
        let channel = format!("sprout:{installation}:wake");
        let origin = format!("{:016x}", rand::random::<u64>());
        let local = Arc::new(LocalBus::default());
        let outgoing = Arc::new(Outgoing::default());
        let listening = tokio::spawn(listen(subscriber, channel.clone(), origin.clone(), local.clone()));
        let telling = tokio::spawn(tell(client, channel, origin, outgoing.clone()));
        Ok(Self { local, outgoing, tasks: vec![listening, telling] })
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Bus for RedisBus {
    fn publish(&self, topics: &[Topic]) {
        self.local.publish(topics);
        if !topics.is_empty() {
            self.outgoing.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(topics);
            self.outgoing.more.notify_one();
        }
    }

    fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.local.subscribe(topic)
    }
}

/// Publishes what gathers, one message at a time.
async fn tell(client: Client, channel: String, origin: String, outgoing: Arc<Outgoing>) {
    client.connect();
    let mut reachable = true;
    loop {
        outgoing.more.notified().await;
        let topics = std::mem::take(&mut *outgoing.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if topics.is_empty() {
            continue;
        }
        let names: Vec<_> = topics.iter().map(|topic| topic.as_str()).collect();
        let message = format!("{origin} {}", names.join(" "));
        let told = tokio::time::timeout(PUBLISH_TIMEOUT, client.publish::<(), _, _>(channel.as_str(), message)).await;
        let error = match told {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.details().to_owned()),
            Err(_) => Some("it did not answer in time".to_owned()),
        };
        match &error {
            Some(error) if reachable => {
                tracing::warn!(error, "Redis does not take wake-ups; other replicas look by themselves until it does");
            }
            None if !reachable => tracing::info!("Redis takes wake-ups again"),
            _ => {}
        }
        reachable = error.is_none();
    }
}

/// Wakes this process by what other replicas publish.
async fn listen(client: Client, channel: String, origin: String, local: Arc<LocalBus>) {
    let mut messages = client.message_rx();
    let mut connections = client.reconnect_rx();
    client.connect();
    loop {
        tokio::select! {
            connected = connections.recv() => {
                if connected.is_ok() {
                    if let Err(error) = client.subscribe::<_>(channel.as_str()).await {
                        tracing::warn!(error = error.details(), "subscribing to wake-ups failed; they are looked for once a second");
                    }
                    local.publish(&Topic::ALL); // some may have been missed while the connection was away
                }
            }
            message = messages.recv() => {
                let text = message.ok().and_then(|message| message.value.into_string());
                match text {
                    Some(text) => local.publish(&topics(&text, &origin)),
                    None => local.publish(&Topic::ALL), // messages were dropped, or make no sense: look everywhere
                }
            }
        }
    }
}

/// The topics of a message; none if it is our own. Names of a newer release that are unknown here are passed over.
fn topics(message: &str, origin: &str) -> Vec<Topic> {
    let mut words = message.split(' ');
    if words.next() == Some(origin) {
        return Vec::new();
    }
    words.filter_map(|word| Topic::ALL.into_iter().find(|topic| topic.as_str() == word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_topics_and_own_ones_are_passed_over() {
        assert_eq!(topics("a tasks events new-kind", "b"), [Topic::Tasks, Topic::Events]);
        assert_eq!(topics("a tasks", "a"), []);
        assert_eq!(topics("", "a"), []);
    }
}
