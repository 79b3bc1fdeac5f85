//! Instances of anyone's provider process that speaks `sprout.provider.v1`; the simulator is one.
//!
//! The rules of the protocol are those of the [`Driver`] trait, so this only translates. Nothing is kept but the connection,
//! shared by all calls, and what the provider said it can do.

mod connection;
mod convert;
mod failure;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sprout_proto::{provider as pb, worker::ExternalSettings};
use tokio::time::timeout;

use self::connection::{Connection, QUICK, SLOW};
use crate::driver::{Capabilities, CloneSpec, Driver, DriverError, Instance, Needs, Reason, Report, Result, Tags};

/// The version of the protocol spoken here.
const PROTOCOL: u32 = 1;
/// All instances of a provider are told within this time.
const LIST: Duration = SLOW;

/// A provider served by another process.
#[derive(Debug)]
pub struct ExternalDriver {
    connection: Connection,
    memory_mib: Option<u32>,
    cpus: Option<u32>,
    /// What the provider last said of itself.
    facts: Mutex<Option<Facts>>,
}

#[derive(Debug, Clone)]
struct Facts {
    version: String,
    capabilities: Capabilities,
}

/// A call with an empty answer.
macro_rules! call {
    ($self:ident, $limit:expr, $what:expr, $method:ident($request:expr)) => {
        $self
            .connection
            .call($limit, $what, $request, async |mut client, request| client.$method(request).await)
            .await
            .map(|_| ())
    };
}

impl ExternalDriver {
    /// Checks the settings. The provider is first talked to by the first call.
    pub fn new(settings: &ExternalSettings) -> Result<Self> {
        let set = |value: u32| (value > 0).then_some(value);
        Ok(Self {
            connection: Connection::new(settings)?,
            memory_mib: set(settings.memory_mib),
            cpus: set(settings.cpus),
            facts: Mutex::default(),
        })
    }

    fn known(&self) -> Option<Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the provider is; asks it if that is not known yet.
    async fn facts(&self) -> Result<Facts> {
        match self.known() {
            Some(facts) => Ok(facts),
            None => self.ask_facts().await,
        }
    }

    async fn ask_facts(&self) -> Result<Facts> {
        let info = self
            .connection
            .call(QUICK, "tell what it is", pb::GetInfoRequest {}, async |mut client, request| {
                client.get_info(request).await
            })
            .await?;
        if info.protocol_version != PROTOCOL {
            let message = format!(
                "{} speaks version {} of sprout.provider.v1, and this worker only version {PROTOCOL}; update the older of them",
                self.connection, info.protocol_version
            );
            return Err(DriverError::new(Reason::Unsupported, message));
        }
        let facts = Facts {
            version: format!("{} {}", info.kind, info.version),
            capabilities: convert::capabilities(info.capabilities.unwrap_or_default()),
        };
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts.clone());
        Ok(facts)
    }

    /// Fails unless the provider can do it.
    async fn able(&self, what: &str, can: impl FnOnce(&Capabilities) -> bool) -> Result<()> {
        if can(&self.facts().await?.capabilities) {
            return Ok(());
        }
        Err(DriverError::new(Reason::Unsupported, format!("{} cannot {what}", self.connection)))
    }

    async fn all(&self) -> Result<Vec<Instance>> {
        let stream = self.connection.call(
            LIST,
            "list its instances",
            pb::ListInstancesRequest {},
            async |mut client, request| client.list_instances(request).await,
        );
        let mut stream = stream.await?;
        let mut all = Vec::new();
        while let Some(some) =
            stream.message().await.map_err(|status| self.connection.failure("list its instances", LIST, &status))?
        {
            for instance in some.instances {
                all.push(self.read(instance)?);
            }
        }
        Ok(all)
    }

    fn read(&self, instance: pb::Instance) -> Result<Instance> {
        convert::instance(instance).map_err(|wrong| {
            let message = format!(
                "{} answered with {wrong}; that is a mistake of the provider, report it there",
                self.connection
            );
            DriverError::new(Reason::ProviderError, message)
        })
    }
}

#[async_trait]
impl Driver for ExternalDriver {
    /// Until the provider was first talked to, it is trusted with everything: it refuses by itself what it cannot do.
    fn capabilities(&self) -> Capabilities {
        self.known().map_or(
            Capabilities {
                retag: true,
                suspend: true,
                rename: Some(Needs::Any),
                resize: Some(Needs::Any),
                snapshot: true,
                disk: true,
                make_template: Some(Needs::Any),
            },
            |facts| facts.capabilities,
        )
    }

    async fn check(&self) -> Result<Report> {
        let facts = self.ask_facts().await?;
        let checked = self
            .connection
            .call(QUICK, "check itself", pb::CheckRequest {}, async |mut client, request| client.check(request).await);
        let pb::CheckResponse { memory_mib, cpus } = checked.await?;
        Ok(Report { version: facts.version, memory_mib, cpus })
    }

    async fn templates(&self) -> Result<Vec<String>> {
        self.facts().await?;
        let request = pb::ListTemplatesRequest {};
        let listed = self.connection.call(QUICK, "list its templates", request, async |mut client, request| {
            client.list_templates(request).await
        });
        Ok(listed.await?.templates)
    }

    async fn list(&self) -> Result<Vec<Instance>> {
        self.facts().await?;
        timeout(LIST, self.all()).await.unwrap_or_else(|_| Err(self.connection.no_answer("list its instances", LIST)))
    }

    async fn find(&self, name: &str) -> Result<Option<Instance>> {
        self.facts().await?;
        let what = format!("look for {name}");
        let request = pb::FindInstanceRequest { name: name.to_owned() };
        let found = self
            .connection
            .call(QUICK, &what, request, async |mut client, request| client.find_instance(request).await);
        let Some(instance) = found.await?.instance else { return Ok(None) };
        if instance.name != name {
            let message = format!(
                "{} was asked for {name} and answered with {:?}; report it there",
                self.connection, instance.name
            );
            return Err(DriverError::new(Reason::ProviderError, message));
        }
        self.read(instance).map(Some)
    }

    async fn create(&self, spec: &CloneSpec) -> Result<()> {
        self.facts().await?;
        let request = pb::CreateInstanceRequest {
            template: spec.template.clone(),
            name: spec.name.clone(),
            tags: Some(spec.tags.clone()),
            memory_mib: spec.memory_mib.or(self.memory_mib),
            cpus: spec.cpus.or(self.cpus),
            endpoints: spec.endpoints.clone(),
        };
        let what = format!("create {}", spec.name);
        let created = self
            .connection
            .call(SLOW, &what, request, async |mut client, request| client.create_instance(request).await);
        match created.await {
            // The code says that something was not there: the template, since the instance was to be made.
            Err(error) if error.reason == Reason::ApplianceNotFound => {
                Err(DriverError { reason: Reason::TemplateNotFound, ..error })
            }
            created => created.map(|_| ()),
        }
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<()> {
        self.facts().await?;
        let request = pb::TagInstanceRequest { name: name.to_owned(), tags: Some(tags.clone()) };
        call!(self, QUICK, &format!("tag {name}"), tag_instance(request))
    }

    async fn start(&self, name: &str) -> Result<()> {
        self.facts().await?;
        let request = pb::StartInstanceRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("start {name}"), start_instance(request))
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.facts().await?;
        let request = pb::StopInstanceRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("stop {name}"), stop_instance(request))
    }

    async fn reboot(&self, name: &str) -> Result<()> {
        self.facts().await?;
        let request = pb::RebootInstanceRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("reboot {name}"), reboot_instance(request))
    }

    async fn suspend(&self, name: &str) -> Result<()> {
        self.able("suspend", |can| can.suspend).await?;
        let request = pb::SuspendInstanceRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("suspend {name}"), suspend_instance(request))
    }

    async fn resume(&self, name: &str) -> Result<()> {
        self.able("resume", |can| can.suspend).await?;
        let request = pb::ResumeInstanceRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("resume {name}"), resume_instance(request))
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.able("rename", |can| can.rename.is_some()).await?;
        let request = pb::RenameInstanceRequest { name: name.to_owned(), new_name: new_name.to_owned() };
        call!(self, SLOW, &format!("rename {name}"), rename_instance(request))
    }

    async fn resize(&self, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()> {
        self.able("resize", |can| can.resize.is_some()).await?;
        let request = pb::ResizeInstanceRequest { name: name.to_owned(), memory_mib, cpus };
        call!(self, SLOW, &format!("resize {name}"), resize_instance(request))
    }

    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        self.able("make snapshots", |can| can.snapshot).await?;
        let request = pb::SnapshotInstanceRequest { name: name.to_owned(), snapshot: snapshot.to_owned() };
        call!(self, SLOW, &format!("make a snapshot of {name}"), snapshot_instance(request))
    }

    async fn reset(&self, name: &str, snapshot: &str) -> Result<()> {
        self.able("go back to a snapshot", |can| can.snapshot).await?;
        let request = pb::ResetInstanceRequest { name: name.to_owned(), snapshot: snapshot.to_owned() };
        call!(self, SLOW, &format!("reset {name}"), reset_instance(request))
    }

    async fn attach_disk(&self, name: &str, size_mib: u64) -> Result<()> {
        self.able("attach disks", |can| can.disk).await?;
        let request = pb::AttachDiskRequest { name: name.to_owned(), size_mib };
        call!(self, SLOW, &format!("attach a disk to {name}"), attach_disk(request))
    }

    async fn detach_disk(&self, name: &str) -> Result<()> {
        self.able("detach disks", |can| can.disk).await?;
        let request = pb::DetachDiskRequest { name: name.to_owned() };
        call!(self, SLOW, &format!("detach the disk of {name}"), detach_disk(request))
    }

    async fn make_template(&self, name: &str, template: &str) -> Result<()> {
        self.able("make templates", |can| can.make_template.is_some()).await?;
        let request = pb::MakeTemplateRequest { name: name.to_owned(), template: template.to_owned() };
        call!(self, SLOW, &format!("make a template of {name}"), make_template(request))
    }

    async fn delete_template(&self, template: &str) -> Result<()> {
        self.able("delete templates", |can| can.make_template.is_some()).await?;
        let request = pb::DeleteTemplateRequest { template: template.to_owned() };
        call!(self, SLOW, &format!("delete the template {template}"), delete_template(request))
    }

    async fn delete(&self, name: &str, tags: &Tags) -> Result<()> {
        self.facts().await?;
        let request = pb::DeleteInstanceRequest { name: name.to_owned(), tags: Some(tags.clone()) };
        call!(self, SLOW, &format!("delete {name}"), delete_instance(request))
    }

    async fn delete_unmarked(&self, name: &str) -> Result<()> {
        self.facts().await?;
        let request = pb::DeleteInstanceRequest { name: name.to_owned(), tags: None };
        call!(self, SLOW, &format!("delete {name}"), delete_instance(request))
    }
}
