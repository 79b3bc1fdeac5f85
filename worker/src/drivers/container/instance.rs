//! How the engine's view of a container becomes an [`Instance`], and our marks its labels.
//!
//! A stopped container has no published port, whatever the engine remembers: Docker gives a new one at each start. Ports
//! and addresses are therefore read anew each time and told only while it is on.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum as Status, ContainerSummary,
    ContainerSummaryStateEnum as Listed, EndpointSettings, PortSummaryTypeEnum,
};

use super::settings::Publish;
use crate::driver::{Instance, PowerState, Tags};

const INSTALLATION: &str = "io.sprout.installation-id";
const APPLIANCE: &str = "io.sprout.appliance-id";
const EPOCH: &str = "io.sprout.epoch";
/// The labels that carry our marks.
pub(super) const LABELS: [&str; 3] = [INSTALLATION, APPLIANCE, EPOCH];

/// Marks as labels.
pub(super) fn labels(tags: &Tags) -> HashMap<String, String> {
    let values = [tags.installation_id.clone(), tags.appliance_id.to_string(), tags.epoch.to_string()];
    LABELS.map(str::to_owned).into_iter().zip(values).collect()
}

/// Labels as marks; `None` unless they are all there. Blank ones come with images that were made from appliances.
fn tags(labels: &HashMap<String, String>) -> Option<Tags> {
    let installation_id = labels.get(INSTALLATION).filter(|id| !id.is_empty())?.clone();
    let number = |label| labels.get(label)?.parse().ok();
    Some(Tags { installation_id, appliance_id: number(APPLIANCE)?, epoch: number(EPOCH)? })
}

/// Whether both are marks of the same appliance; the epoch may differ.
pub(super) fn same_appliance(tags: &Tags, other: &Tags) -> bool {
    tags.installation_id == other.installation_id && tags.appliance_id == other.appliance_id
}

/// The answer about one container.
pub(super) fn inspected(container: ContainerInspectResponse, publish: &Publish) -> Instance {
    let power = power(container.state.and_then(|state| state.status));
    let (networks, ports) = container.network_settings.map(|net| (net.networks, net.ports)).unwrap_or_default();
    let ports = ports.unwrap_or_default().into_iter().filter_map(|(port, bindings)| {
        let inside: u16 = port.strip_suffix("/tcp")?.parse().ok()?;
        let binding = bindings?.into_iter().next()?;
        Some((inside, binding.host_ip, binding.host_port?.parse().ok()?))
    });
    let published = published(power, ports, publish);
    let limits = container.host_config.unwrap_or_default();
    Instance {
        name: plain_name(container.name.as_deref().unwrap_or_default()),
        provider_ref: container.id.unwrap_or_default(),
        power,
        tags: container.config.and_then(|config| config.labels).and_then(|labels| tags(&labels)),
        address: address(power, networks.unwrap_or_default(), &published),
        published,
        memory_mib: limit(limits.memory, 1 << 20),
        cpus: limit(limits.nano_cpus, 1_000_000_000),
        console_url: None,
    }
}

/// One line of the list of containers, which does not tell memory and CPUs.
pub(super) fn listed(container: ContainerSummary, publish: &Publish) -> Instance {
    let power = power(container.state.map(status));
    let ports = container
        .ports
        .unwrap_or_default()
        .into_iter()
        .filter(|port| matches!(port.typ, None | Some(PortSummaryTypeEnum::TCP)))
        .filter_map(|port| Some((port.private_port, port.ip, port.public_port?)));
    let published = published(power, ports, publish);
    let networks = container.network_settings.and_then(|net| net.networks).unwrap_or_default();
    Instance {
        // Other names are links of other containers to this one, and have a second slash.
        name: container
            .names
            .unwrap_or_default()
            .iter()
            .map(|name| plain_name(name))
            .find(|name| !name.contains('/'))
            .unwrap_or_default(),
        provider_ref: container.id.unwrap_or_default(),
        power,
        tags: container.labels.and_then(|labels| tags(&labels)),
        address: address(power, networks, &published),
        published,
        memory_mib: None,
        cpus: None,
        console_url: None,
    }
}

fn plain_name(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn power(status: Option<Status>) -> PowerState {
    match status {
        Some(Status::RUNNING) => PowerState::On,
        Some(Status::PAUSED) => PowerState::Suspended,
        Some(Status::CREATED | Status::EXITED | Status::DEAD) => PowerState::Off,
        Some(Status::RESTARTING | Status::REMOVING | Status::STOPPING) => PowerState::Changing,
        Some(Status::EMPTY) | None => PowerState::Unspecified,
    }
}

/// The library has the same enum twice.
fn status(state: Listed) -> Status {
    match state {
        Listed::EMPTY => Status::EMPTY,
        Listed::CREATED => Status::CREATED,
        Listed::RUNNING => Status::RUNNING,
        Listed::PAUSED => Status::PAUSED,
        Listed::RESTARTING => Status::RESTARTING,
        Listed::EXITED => Status::EXITED,
        Listed::REMOVING => Status::REMOVING,
        Listed::DEAD => Status::DEAD,
        Listed::STOPPING => Status::STOPPING,
    }
}

fn is_up(power: PowerState) -> bool {
    matches!(power, PowerState::On | PowerState::Suspended)
}

fn published(
    power: PowerState,
    ports: impl Iterator<Item = (u16, Option<String>, u16)>,
    publish: &Publish,
) -> BTreeMap<u16, (String, u16)> {
    let mut published = BTreeMap::new();
    if is_up(power) {
        for (inside, bound, outside) in ports {
            // A port bound to everything answers also where ours are published.
            let host = bound.filter(|ip| ip.parse().is_ok_and(|ip: IpAddr| !ip.is_unspecified()));
            published.entry(inside).or_insert_with(|| (host.unwrap_or_else(|| publish.host.clone()), outside));
        }
    }
    published
}

/// The container's own IP address; where it has none (Podman without root), the host its ports are published on.
fn address(
    power: PowerState,
    networks: HashMap<String, EndpointSettings>,
    published: &BTreeMap<u16, (String, u16)>,
) -> Option<String> {
    // Engines name their default network differently; of several, the first by name, so that the answer never flaps.
    let networks: BTreeMap<_, _> = networks.into_iter().collect();
    let addresses = networks.into_values().flat_map(|net| [net.ip_address, net.global_ipv6_address]).flatten();
    let own = addresses.into_iter().find(|address| !address.is_empty());
    own.or_else(|| published.values().next().map(|(host, _)| host.clone())).filter(|_| is_up(power))
}

fn limit(value: Option<i64>, unit: u64) -> Option<u32> {
    let value = u64::try_from(value?).ok().filter(|value| *value > 0)?;
    u32::try_from(value.div_ceil(unit)).ok()
}
