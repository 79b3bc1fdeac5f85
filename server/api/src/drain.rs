//! Leaving without surprise: health turns to not serving, and every stream ends with a status that says to reconnect.

use tokio::sync::watch;
use tonic_health::{ServingStatus, server::HealthReporter};

/// Begins the end of an API.
#[derive(Debug, Clone)]
pub struct Drain {
    health: HealthReporter,
    services: Vec<&'static str>,
    begun: watch::Sender<bool>,
}

impl Drain {
    pub(crate) async fn new(health: HealthReporter, services: Vec<&'static str>) -> Self {
        let drain = Self { health, services, begun: watch::Sender::new(false) };
        drain.set(ServingStatus::Serving).await;
        drain
    }

    /// Says that this server serves no more and ends all streams but worker sessions, which are their handler's to end.
    /// Calls under way go on. There is no way back.
    pub async fn begin(&self) {
        self.set(ServingStatus::NotServing).await;
        self.begun.send_replace(true);
    }

    /// Lets health say whether the database answers, until there is no more to be told of it. To be dropped before [`Self::begin`].
    pub async fn follow(&self, mut answers: watch::Receiver<bool>) {
        while answers.changed().await.is_ok() {
            let serving = *answers.borrow_and_update();
            self.set(if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        }
    }

    pub(crate) fn watch(&self) -> Draining {
        Draining(self.begun.subscribe())
    }

    async fn set(&self, status: ServingStatus) {
        for service in &self.services {
            self.health.set_service_status(service, status).await;
        }
    }
}

/// Whether the API is leaving.
#[derive(Debug, Clone)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Draining {
    /// Ends when the API leaves.
    pub(crate) async fn begun(mut self) {
        // An error means that the other side is gone, and with it the server.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}
