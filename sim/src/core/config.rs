//! What a simulated provider is like. The sample is `conf/sim.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::{Fault, Latency};

/// A provider.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Templates: name → the version that instances of it answer with.
    pub templates: BTreeMap<String, String>,
    /// Memory in MiB of an instance whose creator names none.
    pub memory_mib: u32,
    /// CPUs of an instance whose creator names none.
    pub cpus: u32,
    /// How much there is room for.
    #[serde(deserialize_with = "even_empty")]
    pub capacity: Capacity,
    /// How long everything takes.
    #[serde(deserialize_with = "even_empty")]
    pub latency: Latencies,
    /// What it cannot do.
    pub lacks: BTreeSet<Capability>,
    /// What goes wrong from the start.
    #[serde(deserialize_with = "even_empty")]
    pub faults: Vec<Fault>,
    /// Port of 127.0.0.1 and up that instances answer HTTP on; 0: any that is free.
    pub appliance_port: u16,
}

/// How much there is room for; none: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capacity {
    /// Instances.
    pub instances: Option<u32>,
    /// Memory of all instances, in MiB.
    pub memory_mib: Option<u64>,
    /// CPUs that it says it has; they may be overcommitted.
    pub cpus: Option<u64>,
}

/// Something that not every provider can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Change tags.
    Retag,
    /// Suspend and resume.
    Suspend,
    /// Make and go back to snapshots.
    Snapshot,
    /// Attach and detach disks.
    Disk,
    /// Rename.
    Rename,
    /// Resize.
    Resize,
    /// Make and delete templates.
    MakeTemplate,
}

/// How long everything takes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latencies {
    /// Looking at things.
    pub look: Latency,
    /// Cloning a template.
    pub create: Latency,
    /// Powering on, rebooting and resuming.
    pub start: Latency,
    /// Powering off and suspending.
    pub stop: Latency,
    /// Deleting.
    pub delete: Latency,
    /// Every other change.
    pub change: Latency,
    /// From on to having an address.
    pub boot: Latency,
    /// From having an address to answering there.
    pub ready: Latency,
}

/// Everything below a key may be commented out.
fn even_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            templates: BTreeMap::from([("sim-1.0.0".to_owned(), "1.0.0".to_owned())]),
            memory_mib: 1024,
            cpus: 1,
            capacity: Capacity::default(),
            latency: Latencies::default(),
            lacks: BTreeSet::new(),
            faults: Vec::new(),
            appliance_port: 7701,
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        let fixed = Latency::Fixed;
        Self {
            look: fixed(0.0),
            create: fixed(500.0),
            start: fixed(100.0),
            stop: fixed(50.0),
            delete: fixed(50.0),
            change: fixed(20.0),
            boot: fixed(200.0),
            ready: fixed(300.0),
        }
    }
}

impl Config {
    /// Says what cannot be.
    pub fn check(&self) -> Result<(), String> {
        if self.memory_mib == 0 || self.cpus == 0 {
            return Err("memory_mib and cpus of an instance are more than 0; set them, or remove them".to_owned());
        }
        self.faults.iter().try_for_each(Fault::check)
    }

    /// Whether it can do this.
    pub fn can(&self, capability: Capability) -> bool {
        !self.lacks.contains(&capability)
    }
}
