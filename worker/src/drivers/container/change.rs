//! Proving marks, renaming and deleting: what depends on whose a container is.

use std::time::Duration;

use bollard::query_parameters::{RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder};
use tokio::time::{Instant, sleep};

use super::{ContainerDriver, engine::SLOW, instance, name};
use crate::driver::{DriverError, Instance, Reason, Result, Tags};

impl ContainerDriver {
    /// Labels are fixed at creation, so the marks can only be proven.
    pub(super) async fn prove(&self, name: &str, tags: &Tags) -> Result<()> {
        check_marks(&self.expect(name).await?, Some(tags))
    }

    pub(super) async fn change_name(&self, name: &str, new_name: &str) -> Result<()> {
        name::check_appliance(new_name)?;
        let Some(found) = self.look(name).await? else {
            return match self.look(new_name).await? {
                Some(_) => Ok(()),
                None => Err(DriverError::not_found(name)),
            };
        };
        if name == new_name {
            return Ok(());
        }
        let options = RenameContainerOptionsBuilder::new().name(new_name).build();
        let id = found.provider_ref;
        let renamed =
            self.try_act(name, "rename", |docker| async move { docker.rename_container(&id, options).await }).await;
        match renamed {
            Err(failure) if failure.name_in_use() => Err(DriverError::new(
                Reason::NameTaken,
                format!("{name} cannot be renamed to {new_name}: there is a container of that name already"),
            )),
            Err(failure) if failure.no_container() => Err(DriverError::not_found(name)),
            renamed => Ok(renamed?),
        }
    }

    /// Looks, removes what it saw by id (never by name, which may be another's by then), and waits where the engine is
    /// still removing it for somebody else.
    pub(super) async fn remove(&self, name: &str, tags: Option<&Tags>) -> Result<()> {
        let give_up = Instant::now() + SLOW;
        let mut pause = Duration::from_millis(20);
        loop {
            let Some(found) = self.look(name).await? else { return Ok(()) };
            check_marks(&found, tags)?;
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let id = found.provider_ref;
            let removed = self
                .try_act(name, "remove", |docker| async move { docker.remove_container(&id, Some(options)).await })
                .await;
            match removed {
                Ok(()) => return Ok(()),
                Err(failure) if failure.no_container() => return Ok(()),
                Err(failure) if failure.conflict() && Instant::now() < give_up => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }
}

/// It carries these marks; without any, it must carry none.
fn check_marks(found: &Instance, tags: Option<&Tags>) -> Result<()> {
    let fit = match (&found.tags, tags) {
        (Some(marks), Some(tags)) => instance::same_appliance(marks, tags),
        (marks, tags) => marks.is_none() && tags.is_none(),
    };
    if fit {
        return Ok(());
    }
    let whose = if found.tags.is_some() { "another appliance's marks" } else { "no marks of Sprout" };
    Err(DriverError::new(
        Reason::NameTaken,
        format!(
            "the container {} carries {whose} and is not touched; use another name, or remove it yourself",
            found.name
        ),
    ))
}
