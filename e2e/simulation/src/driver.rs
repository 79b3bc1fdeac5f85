//! The driver that a simulated worker has of a simulated provider: its calls end with the worker's life, and wait while it is frozen.

use std::sync::Arc;

use async_trait::async_trait;
use sprout_worker::driver::{Capabilities, CloneSpec, Driver, DriverError, Instance, Report, Result, Tags};

use crate::{provider::Provider, world::Life};

/// One worker's way to one provider.
pub(crate) struct SimulatedDriver {
    pub(crate) provider: Arc<Provider>,
    pub(crate) life: Life,
}

impl SimulatedDriver {
    /// What was asked is done whatever becomes of who asked; only a living worker asks, and hears the answer.
    async fn ask<T>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
    {
        self.life.goes_on().await;
        let answer = tokio::spawn(work).await;
        self.life.goes_on().await;
        answer.unwrap_or_else(|error| Err(unsupported(&error.to_string())))
    }
}

fn unsupported(what: &str) -> DriverError {
    DriverError::unsupported("simulated", what)
}

/// A call of the provider with its arguments, for [`SimulatedDriver::ask`].
macro_rules! ask {
    ($driver:ident . $call:ident ( $($argument:ident),* )) => {{
        let provider = Arc::clone(&$driver.provider);
        $(let $argument = $argument.to_owned();)*
        $driver.ask(async move { provider.$call($(&$argument),*).await }).await
    }};
}

#[async_trait]
impl Driver for SimulatedDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            retag: true,
            suspend: false,
            rename: None,
            resize: None,
            snapshot: false,
            disk: false,
            make_template: None,
        }
    }

    async fn check(&self) -> Result<Report> {
        ask!(self.check()).map(|version| Report { version, memory_mib: None, cpus: None })
    }

    async fn templates(&self) -> Result<Vec<String>> {
        ask!(self.templates())
    }

    async fn list(&self) -> Result<Vec<Instance>> {
        ask!(self.list())
    }

    async fn find(&self, name: &str) -> Result<Option<Instance>> {
        ask!(self.find(name))
    }

    async fn create(&self, spec: &CloneSpec) -> Result<()> {
        ask!(self.clone_template(spec))
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<()> {
        ask!(self.tag(name, tags))
    }

    async fn start(&self, name: &str) -> Result<()> {
        ask!(self.start(name))
    }

    async fn stop(&self, name: &str) -> Result<()> {
        ask!(self.stop(name))
    }

    async fn delete(&self, name: &str, tags: &Tags) -> Result<()> {
        ask!(self.delete(name, tags))
    }

    async fn delete_unmarked(&self, _: &str) -> Result<()> {
        Err(unsupported("delete what carries no marks"))
    }

    async fn reboot(&self, _: &str) -> Result<()> {
        Err(unsupported("reboot"))
    }

    async fn suspend(&self, _: &str) -> Result<()> {
        Err(unsupported("suspend"))
    }

    async fn resume(&self, _: &str) -> Result<()> {
        Err(unsupported("resume"))
    }

    async fn rename(&self, _: &str, _: &str) -> Result<()> {
        Err(unsupported("rename"))
    }

    async fn resize(&self, _: &str, _: Option<u32>, _: Option<u32>) -> Result<()> {
        Err(unsupported("resize"))
    }

    async fn snapshot(&self, _: &str, _: &str) -> Result<()> {
        Err(unsupported("snapshot"))
    }

    async fn reset(&self, _: &str, _: &str) -> Result<()> {
        Err(unsupported("reset"))
    }

    async fn attach_disk(&self, _: &str, _: u64) -> Result<()> {
        Err(unsupported("attach a disk"))
    }

    async fn detach_disk(&self, _: &str) -> Result<()> {
        Err(unsupported("detach a disk"))
    }

    async fn make_template(&self, _: &str, _: &str) -> Result<()> {
        Err(unsupported("make a template"))
    }

    async fn delete_template(&self, _: &str) -> Result<()> {
        Err(unsupported("delete a template"))
    }
}
