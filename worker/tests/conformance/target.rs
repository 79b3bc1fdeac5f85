//! What a case needs to know of a provider, and what all cases do with appliances.

use std::{
    any::Any,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sprout_worker::driver::{CloneSpec, Driver, DriverError, EndpointSpec, Instance, PowerState, Reason, Result, Tags};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::poll;

/// A provider to test, and the names of one case on it.
pub(crate) struct Target {
    /// Where the provider is, without a scheme.
    pub(crate) place: String,
    /// The driver, connected to the provider.
    driver: Box<dyn Driver>,
    /// An image that answers HTTP with its version at /version.
    pub(crate) template: String,
    /// That version.
    pub(crate) version: String,
    /// The port inside the appliance that it answers on.
    pub(crate) port: u16,
    /// Two sizes in MiB that it runs with; the first is used unless a case says otherwise.
    pub(crate) memory_mib: [u32; 2],
    /// What names of templates made here end in.
    pub(crate) template_suffix: &'static str,
    /// An appliance that is started answers within this time, also when four start at once.
    pub(crate) ready_within: Duration,
    /// Everything a case makes begins with this.
    prefix: String,
    next_id: AtomicU64,
    /// What the provider needs to be there, if the case started it.
    kept: Option<Box<dyn Any>>,
}

/// An appliance a case has made, or means to.
#[derive(Debug, Clone)]
pub(crate) struct Appliance {
    pub(crate) name: String,
    pub(crate) tags: Tags,
}

impl Target {
    /// A target with everything else as usual.
    pub(crate) fn new(place: &str, driver: impl Driver + 'static, template: &str, version: &str) -> Self {
        Self {
            place: place.to_owned(),
            driver: Box::new(driver),
            template: template.to_owned(),
            version: version.to_owned(),
            port: 80,
            memory_mib: [64, 128],
            template_suffix: "",
            ready_within: Duration::from_mins(1),
            prefix: String::new(),
            next_id: AtomicU64::new(1),
            kept: None,
        }
    }

    /// Ends this with the target.
    pub(crate) fn keep(&mut self, provider: impl Any) {
        self.kept = Some(Box::new(provider));
    }

    /// The driver.
    pub(crate) fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// Gives the case names of its own, so that cases run beside each other.
    pub(crate) fn for_case(mut self, case: &str) -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        self.prefix = format!("sprout-test-{}-{}", case.replace('_', "-"), &unique[..8]);
        self
    }

    /// A name and marks that nothing has yet.
    pub(crate) fn invent(&self, word: &str) -> Appliance {
        let appliance_id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let tags = Tags { installation_id: self.prefix.clone(), appliance_id, epoch: 7 };
        Appliance { name: format!("{}-{word}", self.prefix), tags }
    }

    /// A name for a template to make.
    pub(crate) fn invent_template(&self, word: &str) -> String {
        format!("{}-{word}{}", self.prefix, self.template_suffix)
    }

    pub(crate) fn spec(&self, appliance: &Appliance) -> CloneSpec {
        CloneSpec {
            template: self.template.clone(),
            name: appliance.name.clone(),
            tags: appliance.tags.clone(),
            memory_mib: Some(self.memory_mib[0]),
            cpus: Some(1),
            endpoints: vec![EndpointSpec { name: "web".into(), port: self.port.into(), scheme: "http".into() }],
        }
    }

    /// A new appliance, off.
    pub(crate) async fn cloned(&self, word: &str) -> Appliance {
        let appliance = self.invent(word);
        self.driver().create(&self.spec(&appliance)).await.expect("clone");
        appliance
    }

    /// A new appliance that answers.
    pub(crate) async fn ready(&self, word: &str) -> Appliance {
        let appliance = self.cloned(word).await;
        self.driver().start(&appliance.name).await.expect("start");
        self.until_answers(&appliance.name).await;
        appliance
    }

    /// The appliance, which must be there.
    pub(crate) async fn see(&self, name: &str) -> Instance {
        self.driver().find(name).await.expect("find").unwrap_or_else(|| panic!("{name} is not there"))
    }

    pub(crate) async fn power(&self, name: &str) -> PowerState {
        self.see(name).await.power
    }

    /// Waits until the appliance has this power. A provider may show the old state for as long as steps bear with it after it accepted a change: Docker
    /// hears of what it did to a container from below, late on a loaded machine.
    pub(crate) async fn until_power(&self, name: &str, wanted: PowerState) {
        poll::until(Duration::from_secs(3), &format!("{name} is {wanted:?}"), async || {
            (self.power(name).await == wanted).then_some(())
        })
        .await;
    }

    /// Waits until the appliance, on and found anew at each try, answers with the version of its template.
    pub(crate) async fn until_answers(&self, name: &str) -> Instance {
        poll::until(self.ready_within, &format!("{name} answers"), async || {
            let instance = self.see(name).await;
            (self.version_at(&instance).await.as_deref() == Some(self.version.as_str())).then_some(instance)
        })
        .await
    }

    /// Waits until nothing of that name is there.
    pub(crate) async fn until_absent(&self, name: &str) {
        poll::until(Duration::from_secs(30), &format!("{name} is gone"), async || {
            self.driver().find(name).await.expect("find").is_none().then_some(())
        })
        .await;
    }

    /// What the appliance answers at /version, as one try of a probe would see it.
    async fn version_at(&self, instance: &Instance) -> Option<String> {
        let (host, port) = match instance.published.get(&self.port) {
            Some((host, port)) => (host.clone(), *port),
            None => (instance.address.clone()?, self.port),
        };
        let answer = timeout(Duration::from_secs(2), async {
            let mut stream = TcpStream::connect((host.as_str(), port)).await.ok()?;
            stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned())
        });
        answer.await.ok()?
    }

    /// Deletes whatever carries the names of this case, and tells what could not be deleted.
    pub(crate) async fn clean_up(&self) -> Result<(), String> {
        let mut failed = Vec::new();
        let mut note = |what: &str, result: Result<()>| {
            if let Err(error) = result {
                failed.push(format!("cleaning up {what}: {error}"));
            }
        };
        match self.driver().list().await {
            Ok(all) => {
                for left in all.into_iter().filter(|instance| instance.name.starts_with(&self.prefix)) {
                    let tags = left.tags.unwrap_or_default();
                    note(&left.name, self.driver().delete(&left.name, &tags).await);
                }
            }
            Err(error) => note("appliances", Err(error)),
        }
        match self.driver().templates().await {
            Ok(all) => {
                for left in all.into_iter().filter(|template| template.starts_with(&self.prefix)) {
                    note(&left, self.driver().delete_template(&left).await);
                }
            }
            Err(error) => note("templates", Err(error)),
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

/// Asserts that a call failed for this reason, with a message for people.
#[track_caller]
pub(crate) fn assert_reason<T: std::fmt::Debug>(result: Result<T>, reason: Reason) -> DriverError {
    let error = result.expect_err(&format!("{reason:?} expected"));
    assert_eq!(error.reason, reason, "{error}");
    assert!(error.message.len() > 10 && !error.message.contains('\n'), "not one sentence: {error:?}");
    error
}
