//! Which driver serves a provider: opened at first use, kept while the provider's settings stay the same.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use sprout_proto::worker::{ProviderAccess, provider_access::Settings};

use crate::{
    driver::{Driver, DriverError, Reason, Result},
    drivers::{container::ContainerDriver, external::ExternalDriver, libvirt::LibvirtDriver},
};

type Kept = (Settings, Arc<dyn Driver>);
type Open = dyn Fn(&Settings) -> Result<Arc<dyn Driver>> + Send + Sync;

/// The drivers of one worker.
pub struct Drivers {
    types: Vec<String>,
    open: Box<Open>,
    /// The last settings and their driver, by provider key: a changed provider replaces its entry, so this stays small.
    kept: Mutex<HashMap<String, Kept>>,
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drivers").field("types", &self.types).finish_non_exhaustive()
    }
}

impl Default for Drivers {
    /// All drivers of this program.
    fn default() -> Self {
        Self::new(["container", "external", "libvirt", "sim"], open)
    }
}

impl Drivers {
    /// Drivers of these provider types, opened by `open`.
    pub fn new<'a>(
        types: impl IntoIterator<Item = &'a str>,
        open: impl Fn(&Settings) -> Result<Arc<dyn Driver>> + Send + Sync + 'static,
    ) -> Self {
        let types = types.into_iter().map(str::to_owned).collect();
        Self { types, open: Box::new(open), kept: Mutex::default() }
    }

    /// The provider types served.
    pub(crate) fn types(&self) -> &[String] {
        &self.types
    }

    /// The driver for this provider.
    pub(crate) fn get(&self, access: &ProviderAccess) -> Result<Arc<dyn Driver>> {
        let settings = access.settings.as_ref().ok_or_else(|| {
            let message = format!(
                "provider {} is of a type this worker ({}) does not know; update the worker",
                access.key,
                env!("CARGO_PKG_VERSION"),
            );
            DriverError::new(Reason::Unsupported, message)
        })?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(&access.key) {
            Some((known, driver)) if known == settings => Ok(Arc::clone(driver)),
            _ => {
                let driver = (self.open)(settings)?;
                kept.insert(access.key.clone(), (settings.clone(), Arc::clone(&driver)));
                Ok(driver)
            }
        }
    }
}

fn open(settings: &Settings) -> Result<Arc<dyn Driver>> {
    match settings {
        Settings::Container(settings) => Ok(Arc::new(ContainerDriver::new(settings)?)),
        Settings::Libvirt(settings) => Ok(Arc::new(LibvirtDriver::new(settings)?)),
        Settings::External(settings) => Ok(Arc::new(ExternalDriver::new(settings)?)),
    }
}

#[cfg(test)]
mod tests {
    use sprout_proto::worker::ContainerSettings;

    use super::*;
    use crate::testing::FakeDriver;

    fn access(socket: &str) -> ProviderAccess {
        let settings = ContainerSettings { socket: socket.into(), ..Default::default() };
        ProviderAccess { key: "lab".into(), settings: Some(Settings::Container(settings)) }
    }

    #[test]
    fn a_driver_is_kept_until_the_settings_change() {
        let drivers = Drivers::new(["container"], |_| Ok(Arc::new(FakeDriver::default())));
        let first = drivers.get(&access("unix:///a")).unwrap();
        assert!(Arc::ptr_eq(&first, &drivers.get(&access("unix:///a")).unwrap()));
        assert!(!Arc::ptr_eq(&first, &drivers.get(&access("unix:///b")).unwrap()));
    }

    #[test]
    fn a_driver_that_cannot_be_opened_is_tried_again() {
        let drivers = Drivers::new(["container"], |settings| match settings {
            Settings::Container(settings) if settings.socket.is_empty() => {
                Err(DriverError::new(Reason::Invalid, "no socket"))
            }
            _ => Ok(Arc::new(FakeDriver::default())),
        });
        assert_eq!(drivers.get(&access("")).err().map(|error| error.reason), Some(Reason::Invalid));
        assert!(drivers.get(&access("unix:///a")).is_ok());
    }

    #[test]
    fn an_unknown_type_is_unsupported() {
        let error = Drivers::default().get(&ProviderAccess { key: "lab".into(), settings: None }).err().unwrap();
        assert_eq!(error.reason, Reason::Unsupported);
        assert!(error.message.contains("lab"));
    }
}
