//! Starting, stopping and freezing. Each looks first, because Podman refuses what is done already where Docker shrugs.

use bollard::{
    Docker,
    errors::Error,
    query_parameters::{RestartContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder},
};

use super::{ContainerDriver, engine::SLOW, failure::Failure};
use crate::driver::{DriverError, PowerState, Reason, Result};

impl ContainerDriver {
    pub(super) async fn power_on(&self, name: &str) -> Result<()> {
        let found = self.expect(name).await?;
        let id = found.provider_ref;
        match found.power {
            PowerState::On => Ok(()),
            PowerState::Suspended => self.thaw(name, &id).await,
            _ => {
                let request =
                    |docker: Docker| async move { docker.start_container(&id, None::<StartContainerOptions>).await };
                self.act(name, "start", request).await
            }
        }
    }

    pub(super) async fn power_off(&self, name: &str) -> Result<()> {
        let Some(found) = self.look(name).await? else { return Ok(()) };
        let id = found.provider_ref;
        match found.power {
            PowerState::Off => return Ok(()),
            // Podman stops nothing that is frozen.
            PowerState::Suspended => match self.thaw(name, &id).await {
                Err(error) if error.reason == Reason::ApplianceNotFound => return Ok(()),
                thawed => thawed?,
            },
            _ => {}
        }
        let options = StopContainerOptionsBuilder::new().t(0).build();
        match self.act(name, "stop", |docker| async move { docker.stop_container(&id, Some(options)).await }).await {
            Err(error) if error.reason == Reason::ApplianceNotFound => Ok(()),
            stopped => stopped,
        }
    }

    pub(super) async fn restart(&self, name: &str) -> Result<()> {
        let found = self.expect(name).await?;
        let id = found.provider_ref;
        if found.power == PowerState::Suspended {
            self.thaw(name, &id).await?;
        }
        let options = RestartContainerOptionsBuilder::new().t(0).build();
        self.act(name, "restart", |docker| async move { docker.restart_container(&id, Some(options)).await }).await
    }

    pub(super) async fn freeze(&self, name: &str) -> Result<()> {
        let found = self.expect(name).await?;
        let id = found.provider_ref;
        match found.power {
            PowerState::Suspended => Ok(()),
            PowerState::Off => Err(off(name, "suspended")),
            _ => {
                let frozen =
                    self.try_act(name, "pause", |docker| async move { docker.pause_container(&id).await }).await;
                done_if(name, frozen, "already paused")
            }
        }
    }

    pub(super) async fn unfreeze(&self, name: &str) -> Result<()> {
        let found = self.expect(name).await?;
        match found.power {
            PowerState::On => Ok(()),
            PowerState::Off => Err(off(name, "resumed")),
            _ => self.thaw(name, &found.provider_ref).await,
        }
    }

    async fn thaw(&self, name: &str, id: &str) -> Result<()> {
        let id = id.to_owned();
        let thawed = self.try_act(name, "unpause", |docker| async move { docker.unpause_container(&id).await }).await;
        done_if(name, thawed, "not paused")
    }

    /// One call on a container that was there a moment ago.
    pub(super) async fn act<F>(&self, name: &str, verb: &str, request: impl FnOnce(Docker) -> F) -> Result<()>
    where
        F: Future<Output = Result<(), Error>>,
    {
        self.try_act(name, verb, request).await.map_err(|failure| gone_or(name, failure))
    }

    pub(super) async fn try_act<F>(
        &self,
        name: &str,
        verb: &str,
        request: impl FnOnce(Docker) -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Error>>,
    {
        self.engine.call(SLOW, &format!("{verb} {name}"), request).await
    }
}

/// Somebody else may have done the same since we looked.
fn done_if(name: &str, result: Result<(), Failure>, phrase: &str) -> Result<()> {
    match result {
        Err(failure) if failure.says(phrase) => Ok(()),
        result => result.map_err(|failure| gone_or(name, failure)),
    }
}

fn gone_or(name: &str, failure: Failure) -> DriverError {
    if failure.no_container() { DriverError::not_found(name) } else { failure.into() }
}

fn off(name: &str, what: &str) -> DriverError {
    DriverError::new(Reason::Invalid, format!("{name} is off and cannot be {what}; start it first"))
}
