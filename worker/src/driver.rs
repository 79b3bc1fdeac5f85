//! What Sprout needs from a provider: one trait, implemented once per provider type in [`crate::drivers`].
//!
//! Drivers know nothing of workflows. Each call does one thing on the provider, has a deadline of its own, and may be
//! repeated: the caller never knows whether an earlier try went through. A call on something absent answers
//! [`Reason::ApplianceNotFound`], except `stop` and `delete`, which are done then; one in a power state that does not allow
//! it, or on a snapshot that was never made, answers [`Reason::Invalid`]. Every driver passes the one
//! conformance suite in `worker/tests/conformance/`.

use std::collections::BTreeMap;

use async_trait::async_trait;
pub use sprout_proto::{
    appliance::PowerState,
    group::EndpointSpec,
    task::{StepErrorReason as Reason, Tags},
};

/// Why a driver call failed. The message says what was wrong, where, and what to do, in one sentence, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DriverError {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl DriverError {
    /// An error with this reason and message.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The driver cannot do `what`.
    pub fn unsupported(driver: &str, what: &str) -> Self {
        Self::new(Reason::Unsupported, format!("the {driver} driver cannot {what}"))
    }

    /// No appliance of this name is on the provider.
    pub fn not_found(name: &str) -> Self {
        Self::new(Reason::ApplianceNotFound, format!("there is no {name} on the provider"))
    }
}

/// Result of a driver call.
pub type Result<T, E = DriverError> = std::result::Result<T, E>;

/// What a driver can do beyond the life of an appliance (clone, start, stop, reboot, find, list, delete), which all can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a set of independent yes-or-no facts
pub struct Capabilities {
    /// Tags can be changed after creation; else they are set by `create` and `tag` only proves them.
    pub retag: bool,
    /// Freeze and thaw, keeping memory.
    pub suspend: bool,
    /// Change the name; [`Needs`] says in which power state.
    pub rename: Option<Needs>,
    /// Change memory and CPUs after creation; [`Needs`] says in which power state.
    pub resize: Option<Needs>,
    /// Remember a state and go back to it.
    pub snapshot: bool,
    /// Attach and detach an extra disk.
    pub disk: bool,
    /// Make a template from an appliance; [`Needs`] says in which power state.
    pub make_template: Option<Needs>,
}

/// Power state an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// On or off.
    Any,
    /// Powered off.
    Off,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Kind and version of what answered, for people, e.g. "Docker 24.0.5".
    pub version: String,
    /// Memory of the whole provider in MiB; `None`: unknown.
    pub memory_mib: Option<u64>,
    /// CPUs of the whole provider; `None`: unknown.
    pub cpus: Option<u64>,
}

/// What to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct CloneSpec {
    /// Name of the template on the provider.
    pub template: String,
    /// Name of the appliance on the provider.
    pub name: String,
    /// Our marks; set at creation wherever the provider can, so that nothing exists unmarked.
    pub tags: Tags,
    /// Memory in MiB; `None`: the provider's setting.
    pub memory_mib: Option<u32>,
    /// CPUs; `None`: the provider's setting.
    pub cpus: Option<u32>,
    /// Services to make reachable (containers publish these ports).
    pub endpoints: Vec<EndpointSpec>,
}

/// One appliance as seen on the provider just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The provider's own id of it.
    pub provider_ref: String,
    /// Its power state.
    pub power: PowerState,
    /// Its marks; `None`: not marked by any Sprout.
    pub tags: Option<Tags>,
    /// Its address, if it is on and has one.
    pub address: Option<String>,
    /// Where its ports answer if not at `address` under their own number: port inside → (host, port outside).
    pub published: BTreeMap<u16, (String, u16)>,
    /// Memory in MiB; `None`: no limit or unknown.
    pub memory_mib: Option<u32>,
    /// CPUs; `None`: no limit or unknown.
    pub cpus: Option<u32>,
    /// A URL at which its screen can be seen.
    pub console_url: Option<String>,
}

/// A provider of one type. Cheap to share; connections are kept inside.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Proves that the provider answers and accepts our credentials.
    async fn check(&self) -> Result<Report>;

    /// Names of all templates.
    async fn templates(&self) -> Result<Vec<String>>;

    /// All appliances on the provider, ours or not.
    async fn list(&self) -> Result<Vec<Instance>>;

    /// One appliance; `None` only if it is proven absent.
    async fn find(&self, name: &str) -> Result<Option<Instance>>;

    /// Clones a template; the clone is off. [`Reason::NameTaken`] if the name is in use, also by an earlier try:
    /// the caller then looks whose it is. Leftovers of an earlier try that are not yet an appliance (a disk) are replaced.
    async fn create(&self, spec: &CloneSpec) -> Result<()>;

    /// Writes our marks, or proves them where they cannot be written later.
    async fn tag(&self, name: &str, tags: &Tags) -> Result<()>;

    /// Powers on; nothing to do if it is on. A suspended one is resumed.
    async fn start(&self, name: &str) -> Result<()>;

    /// Powers off at once; nothing to do if it is off or absent.
    async fn stop(&self, name: &str) -> Result<()>;

    /// Restarts the guest; the appliance is on afterwards, whatever it was before.
    async fn reboot(&self, name: &str) -> Result<()>;

    /// Freezes one that is on; nothing to do if it is frozen.
    async fn suspend(&self, name: &str) -> Result<()>;

    /// Thaws one that is frozen; nothing to do if it is on.
    async fn resume(&self, name: &str) -> Result<()>;

    /// Changes the name; done if only `new_name` is there.
    async fn rename(&self, name: &str, new_name: &str) -> Result<()>;

    /// Changes memory and CPUs.
    async fn resize(&self, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()>;

    /// Remembers the present state under `snapshot`; replaces an older one of that name.
    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<()>;

    /// Goes back to `snapshot`.
    async fn reset(&self, name: &str, snapshot: &str) -> Result<()>;

    /// Attaches an empty disk of this size; done if it is attached. One extra disk per appliance.
    async fn attach_disk(&self, name: &str, size_mib: u64) -> Result<()>;

    /// Detaches and deletes the extra disk; done if there is none.
    async fn detach_disk(&self, name: &str) -> Result<()>;

    /// Makes a template from an appliance, which stays. [`Reason::NameTaken`] if there is such a template.
    async fn make_template(&self, name: &str, template: &str) -> Result<()>;

    /// Deletes a template; done if it is absent.
    async fn delete_template(&self, template: &str) -> Result<()>;

    /// Deletes an appliance with everything that belongs to it (disks, snapshots, saved memory), in any power state;
    /// also what an interrupted `create` left under its name. Done if nothing is there. Never touches something of the same name that is
    /// there without the marks in `tags`: [`Reason::NameTaken`] (`tags.epoch` is not compared).
    async fn delete(&self, name: &str, tags: &Tags) -> Result<()>;

    /// Deletes what is on the provider and carries no marks of any Sprout, in any power state; of its disks only those that this driver knows to be
    /// its own. Done if nothing is there. Never touches what carries marks, whoever's: [`Reason::NameTaken`].
    async fn delete_unmarked(&self, name: &str) -> Result<()>;
}
