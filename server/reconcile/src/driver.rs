//! Runs one activity: after its period, earlier when nudged or when it said so, and with growing pauses while it fails.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use sprout_app::{
    Term,
    ports::{Bus, Topic},
};
use sprout_domain::{Error, Reason, Result};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// When an activity runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loop {
    /// For the log.
    pub(crate) name: &'static str,
    /// The longest pause between two runs.
    pub(crate) period: Duration,
    /// What wakes it earlier.
    pub(crate) topic: Option<Topic>,
    /// The shortest pause: nudges that come in it count as one.
    pub(crate) rest: Duration,
}

/// Something to do again and again.
#[async_trait]
pub(crate) trait Activity: Send {
    /// When it runs.
    fn when(&self) -> Loop;

    /// Does what there is to do. Returns after how long there will be more, if that is known and sooner than the period.
    async fn run(&mut self) -> Result<Option<Duration>>;
}

/// One run may take this long; then it is given up and tried again.
const LIMIT: Duration = Duration::from_secs(60);
/// The shortest pause: a clock that is read a little early must not make a busy loop.
const SHORTEST: Duration = Duration::from_millis(5);
/// Pause after the first failure; doubles with each further one, unless it is that the database is away: when it is back, things go on at once.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Runs it until `shutdown`. A run under way is dropped then, and its transaction with it.
pub(crate) async fn run(mut activity: Box<dyn Activity>, bus: Arc<dyn Bus>, shutdown: CancellationToken) {
    shutdown.run_until_cancelled_owned(forever(activity.as_mut(), bus.as_ref())).await;
}

/// Runs these side by side while this server leads, until `shutdown`.
pub(crate) async fn run_leading(
    mut activities: Vec<Box<dyn Activity>>,
    bus: Arc<dyn Bus>,
    mut leading: watch::Receiver<Option<Term>>,
    shutdown: CancellationToken,
) {
    let lead = async move {
        while leading.wait_for(Option::is_some).await.is_ok() {
            let bus = bus.as_ref();
            tokio::select! {
                biased;
                _ = leading.wait_for(Option::is_none) => {}
                _ = join_all(activities.iter_mut().map(|activity| forever(activity.as_mut(), bus))) => {}
            }
        }
    };
    shutdown.run_until_cancelled_owned(lead).await;
}

async fn forever(activity: &mut dyn Activity, bus: &dyn Bus) {
    let Loop { name, period, topic, rest } = activity.when();
    let mut nudges = topic.map(|topic| bus.subscribe(topic));
    let mut failures = Failures { name, message: None, backoff: BACKOFF };
    loop {
        // What is published from here on may be missed by the run, and wakes us after it.
        if let Some(nudges) = &mut nudges {
            nudges.mark_unchanged();
        }
        let done = timeout(LIMIT, activity.run()).await;
        let done = done.unwrap_or_else(|_| Err(Error::internal(format!("not done within {} s", LIMIT.as_secs()))));
        match (failures.note(done), &mut nudges) {
            // Nudges do not shorten the pause after a failure: many of them would be many failures.
            (Err(pause), _) => sleep(pause).await,
            (Ok(next), None) => sleep(next.unwrap_or(period).clamp(SHORTEST, period)).await,
            (Ok(next), Some(nudges)) => {
                sleep(rest).await;
                let pause = next.unwrap_or(period).saturating_sub(rest).clamp(SHORTEST, period);
                if let Ok(Err(_)) = timeout(pause, nudges.changed()).await {
                    sleep(pause).await; // the bus is gone: the period is left
                }
            }
        }
    }
}

/// Tells a failure once, and its end.
struct Failures {
    name: &'static str,
    message: Option<String>,
    backoff: Duration,
}

impl Failures {
    /// The outcome, with the pause to make instead of an error.
    fn note<T>(&mut self, done: Result<T>) -> Result<T, Duration> {
        match done {
            Ok(done) => {
                if self.message.take().is_some() {
                    tracing::info!(activity = self.name, "works again");
                }
                self.backoff = BACKOFF;
                Ok(done)
            }
            Err(error) => {
                let message = error.to_string();
                if self.message.as_ref() != Some(&message) {
                    tracing::warn!(activity = self.name, %error, "failed; tried again until it works");
                    self.message = Some(message);
                }
                if error.reason == Reason::DatabaseUnavailable {
                    return Err(BACKOFF);
                }
                let pause = self.backoff;
                self.backoff = (pause * 2).min(LONGEST_BACKOFF);
                Err(pause)
            }
        }
    }
}

#[cfg(test)]
mod tests;
