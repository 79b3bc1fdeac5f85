//! Who serves a provider. What waits for a worker that nobody runs, or on a provider that was taken out of the configuration, says so.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sprout_domain::{
    Catalogue, ProviderKey, Result,
    appliance::{Appliance, ApplianceState},
    workflow::{Task, TaskState},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{App, ports::Tx, worker::is_connected};

/// How old the answer may be that is told to those who merely look.
const FRESH: Duration = Duration::from_millis(500);

/// Driver types that connected workers serve; many looks share one.
#[derive(Debug, Default)]
pub(crate) struct Served(Mutex<Option<(Instant, Arc<Drivers>)>>);

/// Driver types of connected workers.
#[derive(Debug, Default)]
struct Drivers {
    /// Of those that may be given something.
    taking: BTreeSet<String>,
    /// Of all, those included that only go on with what they have.
    connected: BTreeSet<String>,
}

/// What is configured, and who serves it.
pub(crate) struct Service {
    catalogue: Arc<Catalogue>,
    drivers: Arc<Drivers>,
}

impl Service {
    /// Why nothing that waits for a worker goes on there, said of "it"; none: somebody takes it.
    pub(crate) fn missing(&self, key: &ProviderKey) -> Option<String> {
        self.missing_among(key, &self.drivers.taking)
    }

    /// Whether the provider was taken out of the configuration.
    pub(crate) fn is_configured(&self, key: &ProviderKey) -> bool {
        self.catalogue.providers.contains_key(key)
    }

    fn missing_among(&self, key: &ProviderKey, drivers: &BTreeSet<String>) -> Option<String> {
        let Some(spec) = self.catalogue.providers.get(key) else {
            let gone = "it is not configured any more; put it back into cfme_data.yaml, or, if it is gone for good, see `sproutctl appliance forget`";
            return Some(gone.to_owned());
        };
        let driver = spec.settings.driver();
        let sentence = || {
            format!(
                "no worker that is connected takes steps for it (type {driver}); start one, see `sproutctl worker list`"
            )
        };
        (!drivers.contains(driver)).then(sentence)
    }

    /// Says of a task that waits that nobody takes it.
    pub(crate) fn tell_task(&self, task: &mut Task) {
        if !matches!(task.state, TaskState::Ready | TaskState::Retrying) {
            return;
        }
        if let Some(why) = self.missing(&task.provider) {
            task.status = format!("waits for provider {}: {why}", task.provider);
        }
    }

    /// Says of an appliance that is under way that nobody goes on with it.
    pub(crate) fn tell_appliance(&self, appliance: &mut Appliance) {
        if let Some(why) = self.stopped(appliance) {
            let before = if appliance.status.is_empty() { String::new() } else { format!("; {}", appliance.status) };
            appliance.status = format!("waits for provider {}: {why}{before}", appliance.provider);
        }
    }

    /// Why nobody goes on with an appliance that is under way, if that is so.
    pub(crate) fn stopped(&self, appliance: &Appliance) -> Option<String> {
        let drivers = match appliance.state {
            // Nothing of it runs.
            ApplianceState::Requested => &self.drivers.taking,
            // A worker that is drained may be about to end the step it has.
            state if is_under_way(state) => &self.drivers.connected,
            _ => return None,
        };
        self.missing_among(&appliance.provider, drivers)
    }
}

/// In this state it is only while steps of it wait or run.
fn is_under_way(state: ApplianceState) -> bool {
    use ApplianceState as S;
    match state {
        S::Requested | S::Cloning | S::Starting | S::Preparing | S::Stopping | S::Suspending | S::Killing => true,
        S::Ready | S::Off | S::Suspended | S::Gone | S::Failed | S::Orphaned => false,
    }
}

impl App {
    /// Who serves what, at most half a second ago.
    pub(crate) async fn service(&self, tx: &mut dyn Tx) -> Result<Service> {
        let mut known = self.served.0.lock().await;
        let drivers = match &*known {
            Some((read_at, drivers)) if read_at.elapsed() < FRESH => drivers.clone(),
            _ => {
                let now = tx.now();
                let mut drivers = Drivers::default();
                for worker in tx.workers(None).await? {
                    if !is_connected(&worker, now) {
                        continue;
                    }
                    if !worker.drained && !worker.leaving {
                        drivers.taking.extend(worker.drivers.iter().cloned());
                    }
                    drivers.connected.extend(worker.drivers);
                }
                let drivers = Arc::new(drivers);
                *known = Some((Instant::now(), drivers.clone()));
                drivers
            }
        };
        Ok(Service { catalogue: self.catalogue(), drivers })
    }

    /// Says of appliances that are under way where nobody goes on with them. Costs nothing where none is.
    pub(crate) async fn tell_unserved(&self, tx: &mut dyn Tx, appliances: &mut [Appliance]) -> Result<()> {
        if appliances.iter().any(|appliance| is_under_way(appliance.state)) {
            let service = self.service(tx).await?;
            for appliance in appliances {
                service.tell_appliance(appliance);
            }
        }
        Ok(())
    }
}
