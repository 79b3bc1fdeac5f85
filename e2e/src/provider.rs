//! The provider of a test, and a look at it that does not go through what is tested.

use std::{env, sync::Arc};

use anyhow::{Context as _, Result};
use sprout_client::proto::worker::{ContainerSettings, LibvirtSettings};
use sprout_worker::{
    driver::{Driver, Instance},
    drivers::{container::ContainerDriver, libvirt::LibvirtDriver},
};

/// Which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A container engine.
    Container,
    /// libvirt with QEMU.
    Libvirt,
}

/// A provider of a test.
pub struct Provider {
    /// Which.
    pub kind: Kind,
    /// URL of the engine's socket, or URI of libvirt.
    pub address: String,
    /// Lines of its `sprout:` mapping.
    pub settings: Vec<String>,
    /// Rule for its templates.
    pub template_pattern: String,
    driver: Arc<dyn Driver>,
}

impl Provider {
    /// What the variables name; none if they are not set and not required.
    pub fn from_environment(kind: Kind) -> Result<Option<Self>> {
        let main = match kind {
            Kind::Container => "SPROUT_TEST_DOCKER",
            Kind::Libvirt => "SPROUT_TEST_LIBVIRT",
        };
        let Ok(address) = env::var(main) else {
            anyhow::ensure!(env::var_os("SPROUT_TEST_REQUIRE").is_none(), "{main} is not set");
            return Ok(None);
        };
        Ok(Some(match kind {
            Kind::Container => Self::container(address)?,
            Kind::Libvirt => Self::libvirt(address)?,
        }))
    }

    fn container(socket: String) -> Result<Self> {
        let settings =
            ContainerSettings { socket: socket.clone(), publish_address: "127.0.0.1".into(), ..Default::default() };
        Ok(Self {
            kind: Kind::Container,
            address: socket.clone(),
            settings: vec![format!("socket: {socket}"), "publish_address: 127.0.0.1".into()],
            template_pattern: "sprout-demo:(?<version>[0-9.]+)".into(),
            driver: Arc::new(ContainerDriver::new(&settings)?),
        })
    }

    fn libvirt(uri: String) -> Result<Self> {
        let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
        let (storage_pool, network) = (variable("SPROUT_TEST_LIBVIRT_POOL")?, variable("SPROUT_TEST_LIBVIRT_NETWORK")?);
        let lines = vec![
            format!("uri: '{uri}'"),
            format!("storage_pool: {storage_pool}"),
            format!("network: {network}"),
            "memory_mib: 96".into(),
        ];
        let settings = LibvirtSettings { uri, storage_pool, network, memory_mib: 96, ..Default::default() };
        Ok(Self {
            kind: Kind::Libvirt,
            address: settings.uri.clone(),
            settings: lines,
            template_pattern: "appliance-(?<version>[0-9.]+)".into(),
            driver: Arc::new(LibvirtDriver::new(&settings)?),
        })
    }

    /// Its type in `cfme_data.yaml`.
    pub fn driver_type(&self) -> &'static str {
        match self.kind {
            Kind::Container => "container",
            Kind::Libvirt => "libvirt",
        }
    }

    /// Everything there that carries the tags of this installation.
    pub async fn ours(&self, installation: &str) -> Result<Vec<Instance>> {
        let mut all = self.driver.list().await?;
        all.retain(|instance| instance.tags.as_ref().is_some_and(|tags| tags.installation_id == installation));
        Ok(all)
    }

    /// The driver, to meddle with what is there.
    pub fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }
}
