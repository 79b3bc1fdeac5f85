//! Containers on a Docker or Podman engine: templates are image tags, appliances are containers, marks are labels, endpoints
//! are published ports.
//!
//! Everything that can be is left to the engine: nothing is kept here but the connection. Names are resolved to ids first
//! and ids are acted on, so that a container that takes over a name in between is never hit. What an engine cannot undo in
//! place (going back to an earlier state) or does not have (disks) is declared as missing, not imitated.

mod change;
mod create;
mod engine;
mod failure;
mod instance;
mod name;
mod power;
mod settings;
mod states;
mod template;

use async_trait::async_trait;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use sprout_proto::worker::ContainerSettings;

use self::{
    engine::{Engine, QUICK},
    settings::Settings,
};
use crate::driver::{Capabilities, CloneSpec, Driver, DriverError, Instance, Needs, Report, Result, Tags};

/// The name of this driver in messages.
const DRIVER: &str = "container";

/// Appliances on one engine.
#[derive(Debug)]
pub struct ContainerDriver {
    settings: Settings,
    engine: Engine,
}

impl ContainerDriver {
    /// Checks the settings. The engine is first talked to by the first call.
    ///
    /// Ports are published on `publish_address`, and that is what users are told. Empty, it is where the engine is reached:
    /// 127.0.0.1 for a Unix socket, the IP address of an `http://` one. A wildcard (0.0.0.0, ::) tells users the host of an
    /// `http://` socket and is refused with a Unix socket, because then nothing says which address users can reach.
    pub fn new(settings: &ContainerSettings) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let engine = Engine::new(settings.socket.clone());
        Ok(Self { settings, engine })
    }

    /// Podman can change limits through this API since 5.1; that is known once the engine was talked to.
    fn capabilities_now(&self) -> Capabilities {
        let podman = self.engine.known_facts().and_then(|facts| facts.podman);
        Capabilities {
            retag: false,
            suspend: true,
            rename: Some(Needs::Any),
            resize: podman.is_none_or(|version| version >= (5, 1)).then_some(Needs::Any),
            snapshot: false,
            disk: false,
            make_template: Some(Needs::Any),
        }
    }

    /// The container of exactly this name; `None` only if the engine says so.
    async fn look(&self, name: &str) -> Result<Option<Instance>> {
        name::check_appliance(name)?;
        let asked = name.to_owned();
        let container = self
            .engine
            .call(QUICK, &format!("look for {name}"), |docker| async move {
                states::in_dockers_words(docker.inspect_container(&asked, None::<InspectContainerOptions>).await)
            })
            .await;
        match container {
            // An engine takes the beginning of an id for a name, too.
            Ok(container) => {
                Ok(Some(instance::inspected(container, &self.settings.publish)).filter(|found| found.name == name))
            }
            Err(failure) if failure.no_container() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn expect(&self, name: &str) -> Result<Instance> {
        self.look(name).await?.ok_or_else(|| DriverError::not_found(name))
    }
}

#[async_trait]
impl Driver for ContainerDriver {
    fn capabilities(&self) -> Capabilities {
        self.capabilities_now()
    }

    async fn check(&self) -> Result<Report> {
        let facts = self.engine.ask_facts().await?;
        let memory_mib = facts.memory_bytes.map(|bytes| bytes / (1024 * 1024));
        Ok(Report { version: facts.version, memory_mib, cpus: facts.cpus.map(Into::into) })
    }

    async fn templates(&self) -> Result<Vec<String>> {
        self.images().await
    }

    async fn list(&self) -> Result<Vec<Instance>> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let containers = self
            .engine
            .call(QUICK, "list its containers", |docker| async move {
                states::in_dockers_words(docker.list_containers(Some(options)).await)
            })
            .await?;
        Ok(containers.into_iter().map(|container| instance::listed(container, &self.settings.publish)).collect())
    }

    async fn find(&self, name: &str) -> Result<Option<Instance>> {
        self.look(name).await
    }

    async fn create(&self, spec: &CloneSpec) -> Result<()> {
        self.create(spec).await
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<()> {
        self.prove(name, tags).await
    }

    async fn start(&self, name: &str) -> Result<()> {
        self.power_on(name).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.power_off(name).await
    }

    async fn reboot(&self, name: &str) -> Result<()> {
        self.restart(name).await
    }

    async fn suspend(&self, name: &str) -> Result<()> {
        self.freeze(name).await
    }

    async fn resume(&self, name: &str) -> Result<()> {
        self.unfreeze(name).await
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.change_name(name, new_name).await
    }

    async fn resize(&self, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()> {
        self.update(name, memory_mib, cpus).await
    }

    async fn snapshot(&self, _name: &str, _snapshot: &str) -> Result<()> {
        Err(DriverError::unsupported(DRIVER, "make snapshots; make a template and deploy from it instead"))
    }

    async fn reset(&self, _name: &str, _snapshot: &str) -> Result<()> {
        Err(DriverError::unsupported(DRIVER, "go back to a snapshot; deploy a new appliance instead"))
    }

    async fn attach_disk(&self, _name: &str, _size_mib: u64) -> Result<()> {
        Err(DriverError::unsupported(DRIVER, "attach disks"))
    }

    async fn detach_disk(&self, _name: &str) -> Result<()> {
        Err(DriverError::unsupported(DRIVER, "detach disks"))
    }

    async fn make_template(&self, name: &str, template: &str) -> Result<()> {
        self.commit(name, template).await
    }

    async fn delete_template(&self, template: &str) -> Result<()> {
        self.remove_image(template).await
    }

    async fn delete(&self, name: &str, tags: &Tags) -> Result<()> {
        self.remove(name, Some(tags)).await
    }

    async fn delete_unmarked(&self, name: &str) -> Result<()> {
        self.remove(name, None).await
    }
}
