//! The providers of `cfme_data.yaml`.
//!
//! The file belongs to the teams that run tests, who keep much more in it than Sprout reads; so keys that are unknown
//! here are theirs and are left alone. The mapping `sprout:` of a provider is ours, and unknown keys in it are errors.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::{Memory, Mistakes, group::is_name};

mod external;
mod value;

pub use external::ExternalConfig;
use value::Entries;

/// Provider types that have a driver.
const SUPPORTED: &str = "container, libvirt, external, sim";
/// Keys of `sprout:` that every type has.
const COMMON: &[&str] =
    &["provisioning_limit", "appliance_limit", "memory_limit", "cpu_limit", "circuit_failures", "disabled"];

/// What to write in place of a limit of 0.
const INSTEAD: &str = "use 1 or more, or `disabled: true`";

/// One provider that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Its key.
    pub key: String,
    /// Name for people; the key, if the file has none.
    pub name: String,
    /// Deployments allowed at once.
    pub provisioning_limit: u32,
    /// Appliances allowed; none: no limit.
    pub appliance_limit: Option<u32>,
    /// Memory that appliances may take together; none: no limit.
    pub memory_limit: Option<Memory>,
    /// CPUs that appliances may take together; none: no limit.
    pub cpu_limit: Option<u32>,
    /// Deployments that may fail one after the other before the provider is not used for a while.
    pub circuit_failures: u32,
    /// Not used for new appliances.
    pub disabled: bool,
    /// Its type, and how to reach it.
    pub driver: DriverConfig,
}

/// How to reach a provider, per type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverConfig {
    /// `type: container`.
    Container(ContainerConfig),
    /// `type: libvirt`.
    Libvirt(LibvirtConfig),
    /// `type: external`.
    External(ExternalConfig),
    /// `type: sim`.
    Sim(ExternalConfig),
}

/// Keys of `sprout:` that every type has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Common {
    /// Deployments allowed at once; default 5.
    provisioning_limit: u32,
    /// Appliances allowed; default: no limit.
    appliance_limit: Option<u32>,
    /// Memory that appliances may take together; default: no limit.
    memory_limit: Option<Memory>,
    /// CPUs that appliances may take together; default: no limit.
    cpu_limit: Option<u32>,
    /// Deployments that may fail one after the other before the provider is not used for a while; default 5.
    circuit_failures: u32,
    /// Not used for new appliances; default false.
    disabled: bool,
}

/// Keys of `sprout:` for a Docker or Podman engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerConfig {
    /// `unix:///path` or `http://host:port`; default `unix:///var/run/docker.sock`.
    pub socket: String,
    /// Address of the engine's machine that ports are published on; default: where the engine itself is reached.
    pub publish_address: String,
    /// Memory of an appliance in MiB; 0, the default: no limit.
    pub memory_mib: u32,
    /// CPUs of an appliance; 0, the default: no limit.
    pub cpus: u32,
}

/// Keys of `sprout:` for a libvirt daemon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LibvirtConfig {
    /// Connection URI; default `qemu:///system`.
    pub uri: String,
    /// Storage pool with templates and disks; default `default`.
    pub storage_pool: String,
    /// Network of the appliances; default `default`.
    pub network: String,
    /// `kvm` or `qemu`; default: whichever the host can.
    pub domain_type: Option<String>,
    /// Memory of an appliance in MiB; default 2048.
    pub memory_mib: u32,
    /// CPUs of an appliance; default 1.
    pub cpus: u32,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            provisioning_limit: 5,
            appliance_limit: None,
            memory_limit: None,
            cpu_limit: None,
            circuit_failures: 5,
            disabled: false,
        }
    }
}

impl Default for ContainerConfig {
    fn default() -> Self {
        let socket = "unix:///var/run/docker.sock".to_owned();
        Self { socket, publish_address: String::new(), memory_mib: 0, cpus: 0 }
    }
}

impl Default for LibvirtConfig {
    fn default() -> Self {
        Self {
            uri: "qemu:///system".to_owned(),
            storage_pool: "default".to_owned(),
            network: "default".to_owned(),
            domain_type: None,
            memory_mib: 2048,
            cpus: 1,
        }
    }
}

/// What is read of the file.
#[derive(Deserialize)]
struct CfmeData {
    #[serde(default)]
    management_systems: Option<BTreeMap<String, ManagementSystem>>,
}

/// What is read of a provider.
#[derive(Deserialize)]
struct ManagementSystem {
    name: Option<String>,
    r#type: Option<Spanned<String>>,
    #[serde(default)]
    use_for_sprout: Option<bool>,
    #[serde(default, deserialize_with = "even_empty")]
    sprout: Option<Entries>,
}

/// `sprout:` without anything below it is there, other than a `sprout:` that is not.
fn even_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Entries>, D::Error> {
    Entries::deserialize(deserializer).map(Some)
}

/// The providers that are used: those with `use_for_sprout: true` and a mapping `sprout:`.
pub(crate) fn read(file: &Path, mistakes: &mut Mistakes) -> Vec<ProviderConfig> {
    let data: CfmeData = match sprout_conf::load(file) {
        Ok(data) => data,
        Err(error) => {
            mistakes.add_file(error);
            return Vec::new();
        }
    };
    let systems = data.management_systems.unwrap_or_default().into_iter();
    let used = systems.filter(|(_, system)| system.use_for_sprout == Some(true));
    used.filter_map(|(key, system)| provider(file, key, system, mistakes)).collect()
}

fn provider(file: &Path, key: String, system: ManagementSystem, mistakes: &mut Mistakes) -> Option<ProviderConfig> {
    let path = format!("management_systems.{key}");
    let entries = system.sprout?;
    if !is_name(&key) {
        mistakes.add(Some(file), None, &path, "a provider's key has 1 to 64 letters, digits and ._-".to_owned());
    }
    let Some(kind) = system.r#type else {
        mistakes.add(Some(file), None, &path, format!("key `type` is missing; supported are {SUPPORTED}"));
        return None;
    };
    let path = format!("{path}.sprout");
    let (common, own) = entries.split(COMMON);
    let mut wrong = |(at, message)| mistakes.add(Some(file), at, &path, message);
    let common: Option<Common> = common.read(&[]).map_err(&mut wrong).ok();
    let driver = match kind.value.as_str() {
        "container" => own.read(COMMON).map(DriverConfig::Container).map_err(&mut wrong).ok(),
        "libvirt" => own.read(COMMON).map(DriverConfig::Libvirt).map_err(&mut wrong).ok(),
        "external" => own.read(COMMON).map(DriverConfig::External).map_err(&mut wrong).ok(),
        "sim" => own.read(COMMON).map(DriverConfig::Sim).map_err(&mut wrong).ok(),
        other => {
            let message = format!("type {other} is not supported yet; supported are {SUPPORTED}");
            mistakes.add(Some(file), Some(kind.referenced), &format!("management_systems.{key}.type"), message);
            None
        }
    };
    let (common, mut driver) = (common?, driver?);
    if let DriverConfig::External(external) | DriverConfig::Sim(external) = &mut driver
        && let Err(message) = external.read_ca(file.parent().unwrap_or(Path::new("")))
    {
        mistakes.add(Some(file), None, &format!("{path}.ca"), message);
    }
    for (key, message) in driver.mistakes().into_iter().chain(common.mistakes()) {
        mistakes.add(Some(file), None, &format!("{path}.{key}"), message);
    }
    let name = system.name.unwrap_or_else(|| key.clone());
    let Common { provisioning_limit, appliance_limit, memory_limit, cpu_limit, circuit_failures, disabled } = common;
    Some(ProviderConfig {
        key,
        name,
        provisioning_limit,
        appliance_limit,
        memory_limit,
        cpu_limit,
        circuit_failures,
        disabled,
        driver,
    })
}

impl Common {
    fn mistakes(&self) -> Vec<(&'static str, String)> {
        let nothing = |key: &'static str| (key, format!("nothing could be deployed; {INSTEAD}"));
        let mut mistakes = Vec::new();
        if self.provisioning_limit == 0 {
            mistakes.push(nothing("provisioning_limit"));
        }
        if self.memory_limit.is_some_and(|limit| limit.mib == 0) {
            mistakes.push(nothing("memory_limit"));
        }
        if self.cpu_limit == Some(0) {
            mistakes.push(nothing("cpu_limit"));
        }
        if self.circuit_failures == 0 {
            mistakes.push(("circuit_failures", "the first failure is number 1; use 1 or more".to_owned()));
        }
        mistakes
    }
}

impl DriverConfig {
    /// Only what is wrong whatever the provider is like; the driver checks the rest, where it runs.
    fn mistakes(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Container(container) => {
                let socket = &container.socket;
                let fine = socket.starts_with("unix:///") || socket.starts_with("http://");
                let message = || format!("{socket:?} is not a socket; write unix:///path or http://host:port");
                (!fine).then(|| ("socket", message())).into_iter().collect()
            }
            Self::Libvirt(libvirt) => {
                let texts =
                    [("uri", &libvirt.uri), ("storage_pool", &libvirt.storage_pool), ("network", &libvirt.network)];
                let empty = texts.into_iter().filter(|(_, text)| text.is_empty());
                let mut mistakes: Vec<_> =
                    empty.map(|(key, _)| (key, "it is empty; set it, or remove it".to_owned())).collect();
                if let Some(other) =
                    libvirt.domain_type.as_ref().filter(|kind| !["kvm", "qemu"].contains(&kind.as_str()))
                {
                    mistakes.push(("domain_type", format!("{other:?} is not known; use kvm or qemu, or remove it")));
                }
                for (key, number) in [("memory_mib", libvirt.memory_mib), ("cpus", libvirt.cpus)] {
                    if number == 0 {
                        mistakes.push((key, "a virtual machine needs more than 0; set it, or remove it".to_owned()));
                    }
                }
                mistakes
            }
            Self::External(external) => external.mistakes(None),
            Self::Sim(sim) => sim.mistakes(Some("http://127.0.0.1:7700")),
        }
    }
}
