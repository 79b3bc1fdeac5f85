//! Providers: how they are reached (configuration) and how they do (observed).

use std::collections::BTreeSet;

use crate::{ProviderKey, Secret, Timestamp, operation::Capability, room::Need};

/// A provider as configured. Never stored: it may hold secrets.
#[derive(Debug, Clone)]
pub struct ProviderSpec {
    /// Its key in `cfme_data.yaml`.
    pub key: ProviderKey,
    /// Name for people.
    pub name: String,
    /// Deployments allowed at once.
    pub provisioning_limit: u32,
    /// Appliances allowed; none: no limit.
    pub appliance_limit: Option<u32>,
    /// Memory in MiB that appliances may take together; none: no limit.
    pub memory_limit_mib: Option<u64>,
    /// CPUs that appliances may take together; none: no limit.
    pub cpu_limit: Option<u64>,
    /// Deployments that may fail there one after the other before it is no longer used for a while; never 0.
    pub circuit_failures: u32,
    /// Preparations of templates allowed at once; 0: none.
    pub configuring_limit: u32,
    /// The longest name that a template can have there; none: as long as ours are.
    pub template_name_limit: Option<u32>,
    /// The template that those are prepared from whose product is pulled as a container.
    pub container_base_template: Option<String>,
    /// Not used for new appliances.
    pub disabled: bool,
    /// How to reach it.
    pub settings: ProviderSettings,
}

/// How to reach a provider, per driver type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderSettings {
    /// A Docker or Podman engine.
    Container {
        /// `unix:///path` or `http://host:port`.
        socket: String,
        /// Host address that ports are published on.
        publish_address: String,
        /// Memory of an appliance in MiB; 0: no limit.
        memory_mib: u32,
        /// CPUs of an appliance; 0: no limit.
        cpus: u32,
    },
    /// A libvirt daemon.
    Libvirt {
        /// Connection URI.
        uri: String,
        /// Storage pool with templates and disks.
        storage_pool: String,
        /// Network of the appliances.
        network: String,
        /// `kvm`, `qemu`, or none: whichever the host can.
        domain_type: Option<String>,
        /// Memory of an appliance in MiB.
        memory_mib: u32,
        /// CPUs of an appliance.
        cpus: u32,
    },
    /// A process that speaks `sprout.provider.v1`.
    External {
        /// It is the simulator: the same, under a type of its own.
        simulated: bool,
        /// `http://host:port`, `https://host:port` or `unix:///path`.
        endpoint: String,
        /// Named with each call; empty: none.
        token: Secret,
        /// Certificates (PEM) that sign the process's; empty: those of the system.
        ca_pem: String,
        /// Memory of an appliance in MiB; 0: the provider's own choice.
        memory_mib: u32,
        /// CPUs of an appliance; 0: the provider's own choice.
        cpus: u32,
    },
}

impl ProviderSettings {
    /// What an appliance takes for which nothing else was asked.
    pub fn usual(&self) -> Need {
        let (Self::Container { memory_mib, cpus, .. }
        | Self::Libvirt { memory_mib, cpus, .. }
        | Self::External { memory_mib, cpus, .. }) = self;
        Need { memory_mib: (*memory_mib).into(), cpus: (*cpus).into() }
    }

    /// Name of the driver type.
    pub fn driver(&self) -> &'static str {
        match self {
            Self::Container { .. } => "container",
            Self::Libvirt { .. } => "libvirt",
            Self::External { simulated: false, .. } => "external",
            Self::External { simulated: true, .. } => "sim",
        }
    }
}

/// A provider as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is set by somebody else")]
pub struct Provider {
    /// Its key.
    pub key: ProviderKey,
    /// Name for people.
    pub name: String,
    /// Name of the driver type.
    pub driver: String,
    /// The last check succeeded; false before the first.
    pub working: bool,
    /// Not used for new appliances.
    pub disabled: bool,
    /// What the last check found, for people.
    pub status: String,
    /// When the last check ended.
    pub checked_at: Option<Timestamp>,
    /// Deployments allowed at once.
    pub provisioning_limit: u32,
    /// Appliances allowed; none: no limit.
    pub appliance_limit: Option<u32>,
    /// What is there now.
    pub load: ProviderLoad,
    /// Staff switched it off: not used for new appliances.
    pub switched_off: bool,
    /// Nobody but staff sees it, and it is not used for new appliances.
    pub hidden: bool,
    /// Whether deployments go there at all.
    pub circuit: Circuit,
    /// Memory: all there is, what appliances take, what they may take; in MiB.
    pub memory: Capacity,
    /// CPUs, likewise.
    pub cpus: Capacity,
    /// What it can do; empty: its workers did not say yet.
    pub capabilities: BTreeSet<Capability>,
    /// Names of the user groups that may use it, where staff look.
    pub user_groups: Vec<String>,
}

impl Provider {
    /// Not used for new appliances, whoever said so: the configuration or staff.
    pub fn is_disabled(&self) -> bool {
        self.disabled || self.switched_off || self.hidden
    }
}

/// Whether deployments go to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// Whether they do.
    pub state: CircuitState,
    /// Deployments that failed one after the other.
    pub failures: u32,
    /// How often it opened one time after the other.
    pub openings: u32,
    /// Why it is open; empty otherwise.
    pub reason: String,
    /// When a single deployment tries whether it works again, while it is open.
    pub next_try_at: Option<Timestamp>,
}

/// States of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// Deployments go there.
    Closed,
    /// Too many failed one after the other: none do until the next try.
    Open,
    /// A single one tries.
    HalfOpen,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// All there is, as the provider says.
    pub total: Option<u64>,
    /// What our appliances take.
    pub used: u64,
    /// What they may take, as configured.
    pub limit: Option<u64>,
}

/// All there is on a provider, as it says; nothing: it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// CPUs.
    pub cpus: Option<u64>,
}

/// What is on a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderLoad {
    /// Deployments running.
    pub provisioning_count: u32,
    /// Appliances, wanted ones included, gone ones not.
    pub appliance_count: u32,
    /// Usable templates.
    pub template_count: u32,
}
