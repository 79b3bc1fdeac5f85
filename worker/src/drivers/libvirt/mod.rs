//! Virtual machines on a libvirt daemon.
//!
//! A template is a volume of the provider's storage pool, an appliance a domain whose disk is a linked clone of it
//! (`volumes` says how they are named). Our marks are an element of our own in the domain's metadata.

mod daemon;
mod disk;
mod errors;
mod host;
mod life;
mod look;
mod power;
mod seen;
mod settings;
mod snapshot;
mod sys;
mod template;
mod turns;
mod volumes;
mod xml;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_proto::worker::LibvirtSettings;
use tokio::time::timeout;

use self::{
    daemon::{Call, Link},
    errors::Doing,
    settings::Settings,
    turns::{Turn, Turns},
};
use crate::driver::{Capabilities, CloneSpec, Driver, DriverError, Instance, Needs, Reason, Report, Result, Tags};

/// How long a call may take that only reads or changes a little. The first one to a new daemon waits until that has
/// tried out its emulators, which takes many seconds.
const QUICK: Duration = Duration::from_secs(30);
/// How long a call may take that writes memory or copies disks.
const SLOW: Duration = Duration::from_mins(10);
/// How many calls of each kind may be under way; a daemon handles 20.
const QUICK_AT_ONCE: usize = 8;
const SLOW_AT_ONCE: usize = 4;

/// The driver of one libvirt daemon.
pub struct LibvirtDriver {
    quick: Arc<Link>,
    /// For what takes long, so that it never stands in the way of the rest.
    slow: Arc<Link>,
    turns: Turns,
}

impl LibvirtDriver {
    /// A driver with these settings; it connects when first used.
    ///
    /// # Errors
    /// [`Reason::Invalid`] for settings that cannot be right.
    pub fn new(settings: &LibvirtSettings) -> Result<Self> {
        let settings = Arc::new(Settings::try_from(settings)?);
        Ok(Self {
            quick: Link::new(settings.clone(), QUICK_AT_ONCE),
            slow: Link::new(settings, SLOW_AT_ONCE),
            turns: Turns::default(),
        })
    }

    async fn quick<T: Send + 'static>(&self, work: impl FnOnce(&Call) -> Result<T> + Send + 'static) -> Result<T> {
        self.quick.run(QUICK, work).await
    }

    async fn slow<T: Send + 'static>(&self, work: impl FnOnce(&Call) -> Result<T> + Send + 'static) -> Result<T> {
        self.slow.run(SLOW, work).await
    }

    /// Waits until nothing else of this driver makes or deletes what has this name.
    async fn turn(&self, name: &str) -> Result<Turn> {
        timeout(QUICK, self.turns.take(name)).await.map_err(|_| {
            let message = format!("an earlier change of {name} is still under way: try again");
            DriverError::new(Reason::Unreachable, message)
        })
    }
}

#[async_trait]
impl Driver for LibvirtDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            retag: true,
            suspend: true,
            rename: Some(Needs::Off),
            resize: Some(Needs::Off),
            snapshot: true,
            disk: true,
            make_template: Some(Needs::Off),
        }
    }

    async fn check(&self) -> Result<Report> {
        self.quick(|call| {
            let connection = call.connection();
            let kind = connection.driver_type().doing("ask for the kind of the hypervisor")?;
            let hypervisor = connection.hyp_version().doing("ask for the version of the hypervisor")?;
            let libvirt = connection.lib_version().doing("ask for the version of libvirt")?;
            call.pool()?;
            call.network()?;
            let (memory_mib, cpus) = host::size(call)?;
            Ok(Report {
                version: format!("{kind} {} with libvirt {}", dotted(hypervisor), dotted(libvirt)),
                memory_mib: Some(memory_mib),
                cpus: Some(cpus),
            })
        })
        .await
    }

    async fn templates(&self) -> Result<Vec<String>> {
        self.quick(template::list).await
    }

    async fn list(&self) -> Result<Vec<Instance>> {
        self.quick(look::list).await
    }

    async fn find(&self, name: &str) -> Result<Option<Instance>> {
        let name = name.to_owned();
        self.quick(move |call| look::find(call, &name)).await
    }

    async fn create(&self, spec: &CloneSpec) -> Result<()> {
        let spec = spec.clone();
        let turn = self.turn(&spec.name).await?;
        self.quick(move |call| {
            let _turn = turn;
            life::clone(call, &spec)
        })
        .await
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<()> {
        let (name, tags) = (name.to_owned(), tags.clone());
        self.quick(move |call| life::tag(call, &name, &tags)).await
    }

    async fn start(&self, name: &str) -> Result<()> {
        let (quickly, slowly) = (name.to_owned(), name.to_owned());
        if self.quick(move |call| power::start_at_once(call, &quickly)).await? {
            return Ok(());
        }
        self.slow(move |call| power::start(call, &slowly)).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.quick(move |call| power::stop(call, &name)).await
    }

    async fn reboot(&self, name: &str) -> Result<()> {
        power::reboot(&self.quick, name).await
    }

    async fn suspend(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.slow(move |call| power::suspend(call, &name)).await
    }

    async fn resume(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.slow(move |call| power::resume(call, &name)).await
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.quick(move |call| life::rename(call, &name, &new_name)).await
    }

    async fn resize(&self, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()> {
        let name = name.to_owned();
        self.quick(move |call| life::resize(call, &name, memory_mib, cpus)).await
    }

    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        let (name, snapshot) = (name.to_owned(), snapshot.to_owned());
        self.slow(move |call| snapshot::take(call, &name, &snapshot)).await
    }

    async fn reset(&self, name: &str, snapshot: &str) -> Result<()> {
        let (name, snapshot) = (name.to_owned(), snapshot.to_owned());
        self.slow(move |call| snapshot::revert(call, &name, &snapshot)).await
    }

    async fn attach_disk(&self, name: &str, size_mib: u64) -> Result<()> {
        let name = name.to_owned();
        let turn = self.turn(&name).await?;
        self.quick(move |call| {
            let _turn = turn;
            disk::attach(call, &name, size_mib)
        })
        .await
    }

    async fn detach_disk(&self, name: &str) -> Result<()> {
        disk::detach(&self.quick, name).await
    }

    async fn make_template(&self, name: &str, template: &str) -> Result<()> {
        let (name, template) = (name.to_owned(), template.to_owned());
        let turn = self.turn(&template).await?;
        self.slow(move |call| {
            let _turn = turn;
            template::make(call, &name, &template)
        })
        .await
    }

    async fn delete_template(&self, template: &str) -> Result<()> {
        let template = template.to_owned();
        let turn = self.turn(&template).await?;
        self.quick(move |call| {
            let _turn = turn;
            template::delete(call, &template)
        })
        .await
    }

    async fn delete(&self, name: &str, tags: &Tags) -> Result<()> {
        let (name, tags) = (name.to_owned(), tags.clone());
        let turn = self.turn(&name).await?;
        self.quick(move |call| {
            let _turn = turn;
            life::delete(call, &name, Some(&tags))
        })
        .await
    }

    async fn delete_unmarked(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let turn = self.turn(&name).await?;
        self.quick(move |call| {
            let _turn = turn;
            life::delete(call, &name, None)
        })
        .await
    }
}

/// libvirt packs a version into one number: 9.0.2 is 9000002.
fn dotted(version: u32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}
