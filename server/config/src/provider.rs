//! The providers of `cfme_data.yaml`.
//!
//! The file belongs to the teams that run tests, who keep much more in it than Sprout reads; so keys that are unknown
//! here are theirs and are left alone. The mapping `sprout:` of a provider is ours, and unknown keys in it are errors.

use std::path::{Path, PathBuf};

use serde::{Deserialize, de::DeserializeOwned};
use sprout_conf::{Document, Node};

use crate::{Credentials, Memory, Mistakes, credentials::Book, group::is_name};

mod external;

pub use external::ExternalConfig;

/// Provider types that have a driver.
const SUPPORTED: &str = "container, libvirt, external, sim";
/// Keys of `sprout:` that every type has.
const COMMON: &[&str] = &[
    "provisioning_limit",
    "appliance_limit",
    "memory_limit",
    "cpu_limit",
    "circuit_failures",
    "configuring_limit",
    "template_name_limit",
    "container_base_template",
    "disabled",
    "catalogue",
];

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
    /// Preparations of templates allowed at once; 0: none.
    pub configuring_limit: u32,
    /// The longest name of a template there; none: as long as ours are.
    pub template_name_limit: Option<u32>,
    /// The template that those are prepared from whose product is pulled as a container.
    pub container_base_template: Option<String>,
    /// Not used for new appliances.
    pub disabled: bool,
    /// Catalogues know its templates; else those that are found are used as they are.
    pub catalogue: bool,
    /// Who signs in there, where the file says so.
    pub credentials: Option<Credentials>,
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
    /// Preparations of templates allowed at once; default 1, 0: none.
    configuring_limit: u32,
    /// The longest name of a template there; default: 63 characters.
    template_name_limit: Option<u32>,
    /// The template that those are prepared from whose product is pulled as a container; default: none are.
    container_base_template: Option<String>,
    /// Not used for new appliances; default false.
    disabled: bool,
    /// Catalogues know its templates; default true. False: those that are found are used as they are.
    catalogue: bool,
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
            configuring_limit: 1,
            template_name_limit: None,
            container_base_template: None,
            disabled: false,
            catalogue: true,
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

/// The providers that are used: those with `use_for_sprout: true` and a mapping `sprout:`. Files they name go to `watched`.
pub(crate) fn read(
    document: &Document,
    file: &Path,
    book: &Book<'_>,
    watched: &mut Vec<PathBuf>,
    mistakes: &mut Mistakes,
) -> Vec<ProviderConfig> {
    let Some(systems) = document.root().get("management_systems").filter(|systems| !systems.is_null()) else {
        return Vec::new();
    };
    if !systems.is_map() {
        let message = format!("found {}, expected providers by their keys", systems.kind());
        mistakes.add(Some(systems.place().clone()), "management_systems", message);
    }
    let mut providers = Vec::new();
    for (key, system) in systems.entries() {
        let path = format!("management_systems.{}", key.text);
        let used = system.get("use_for_sprout").filter(|used| !used.is_null());
        let used =
            used.is_some_and(|used| used.read(&format!("{path}.use_for_sprout"), &[], mistakes).unwrap_or(false));
        // `sprout:` without anything below it is there, other than a `sprout:` that is not.
        let Some(sprout) = system.get("sprout").filter(|_| used) else { continue };
        let mut reader = Reader { path, system, sprout, file, book, mistakes };
        if !is_name(&key.text) {
            reader.wrong(None, "a provider's key has 1 to 64 letters, digits and ._-");
        }
        let provider = reader.provider(&key.text);
        if let Some(DriverConfig::External(external) | DriverConfig::Sim(external)) =
            provider.as_ref().map(|p| &p.driver)
            && let Some(ca) = &external.ca
        {
            watched.push(file.with_file_name("").join(ca));
        }
        providers.extend(provider);
    }
    providers
}

/// Reads one provider.
struct Reader<'a, 'm> {
    path: String,
    system: &'a Node,
    sprout: &'a Node,
    file: &'a Path,
    book: &'a Book<'a>,
    mistakes: &'m mut Mistakes,
}

impl<'a> Reader<'a, '_> {
    /// A mistake at a key, or at the provider itself.
    fn wrong(&mut self, key: Option<&str>, message: impl Into<String>) {
        let (node, path) = match key {
            Some(key) => (self.system.nearest(key), format!("{}.{key}", self.path)),
            None => (self.system, self.path.clone()),
        };
        self.mistakes.add(Some(node.place().clone()), path, message);
    }

    fn provider(&mut self, key: &str) -> Option<ProviderConfig> {
        if !self.sprout.is_map() && !self.sprout.is_null() {
            let message = format!("found {}, expected a mapping", self.sprout.kind());
            self.wrong(Some("sprout"), message);
            return None;
        }
        let Some(kind) = self.system.get("type").and_then(Node::text) else {
            self.wrong(None, format!("key `type` is missing; supported are {SUPPORTED}"));
            return None;
        };
        let (common, own) = self.sprout.split(COMMON);
        let path = format!("{}.sprout", self.path);
        let common: Option<Common> = common.read(&path, &[], self.mistakes);
        let driver = match kind {
            "container" => self.own(&own, DriverConfig::Container),
            "libvirt" => self.own(&own, DriverConfig::Libvirt),
            "external" => self.own(&own, DriverConfig::External),
            "sim" => self.own(&own, DriverConfig::Sim),
            other => {
                let message = format!("type {other} is not supported yet; supported are {SUPPORTED}");
                self.wrong(Some("type"), message);
                None
            }
        };
        let credentials = self.credentials();
        let (common, mut driver) = (common?, driver?);
        if let DriverConfig::External(external) | DriverConfig::Sim(external) = &mut driver {
            if let Err(message) = external.read_ca(self.file.parent().unwrap_or(Path::new(""))) {
                self.wrong(Some("sprout.ca"), message);
            }
            external.take_token(credentials.as_ref());
        }
        for (key, message) in driver.mistakes().into_iter().chain(common.mistakes()) {
            self.wrong(Some(&format!("sprout.{key}")), message);
        }
        let name = self.system.get("name").and_then(Node::text).unwrap_or(key).to_owned();
        let Common {
            provisioning_limit,
            appliance_limit,
            memory_limit,
            cpu_limit,
            circuit_failures,
            configuring_limit,
            template_name_limit,
            container_base_template,
            disabled,
            catalogue,
        } = common;
        Some(ProviderConfig {
            key: key.to_owned(),
            name,
            provisioning_limit,
            appliance_limit,
            memory_limit,
            cpu_limit,
            circuit_failures,
            configuring_limit,
            template_name_limit,
            container_base_template,
            disabled,
            catalogue,
            credentials,
            driver,
        })
    }

    /// The keys of the type.
    fn own<T: DeserializeOwned>(&mut self, own: &Node, driver: fn(T) -> DriverConfig) -> Option<DriverConfig> {
        own.read(&format!("{}.sprout", self.path), COMMON, self.mistakes).map(driver)
    }

    /// `credentials`, else those of the endpoint `default`.
    fn credentials(&mut self) -> Option<Credentials> {
        let of = |node: &'a Node| node.get("credentials").filter(|node| !node.is_null());
        let default = || of(self.system.get("endpoints")?.get("default")?);
        let (node, path) = match of(self.system) {
            Some(node) => (node, "credentials"),
            None => (default()?, "endpoints.default.credentials"),
        };
        self.book.resolve(node, &format!("{}.{path}", self.path), self.mistakes)
    }
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
        if let Some(limit) = self.template_name_limit.filter(|limit| *limit < 20) {
            mistakes.push((
                "template_name_limit",
                format!("names of {limit} characters cannot be told apart; use 20 or more"),
            ));
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
