//! What libvirt tells us in XML, as far as we need it.

use roxmltree::{Document, Node};

use super::xml::{AGENT_CHANNEL, NAMESPACE};
use crate::driver::{DriverError, Reason, Result, Tags};

/// A domain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) tags: Option<Tags>,
    pub(super) memory_mib: Option<u32>,
    pub(super) cpus: Option<u32>,
    /// MAC addresses, lower case.
    pub(super) macs: Vec<String>,
    /// Disks that are files: (target, path).
    disks: Vec<(String, String)>,
    /// The guest agent has opened its end (only in the XML of a running domain).
    pub(super) agent_connected: bool,
}

impl Seen {
    pub(super) fn parse(xml: &str) -> Result<Self> {
        let document = parse(xml)?;
        Ok(Self::read(document.root_element()))
    }

    /// The domain as it was when this snapshot was taken.
    pub(super) fn parse_snapshot(xml: &str) -> Result<Self> {
        let document = parse(xml)?;
        let domain = child(document.root_element(), "domain");
        Ok(Self::read(domain.ok_or_else(|| unexpected("a snapshot without domain"))?))
    }

    fn read(root: Node) -> Self {
        let text = |name| child(root, name).and_then(|node| node.text()).unwrap_or_default().trim().to_owned();
        let devices: Vec<_> = child(root, "devices").into_iter().flat_map(|node| node.children()).collect();
        let all = |name: &'static str| devices.iter().copied().filter(move |node| node.has_tag_name(name));
        let path = |disk| child(disk, "source").and_then(|source| source.attribute("file").or(source.attribute("dev")));
        Self {
            name: text("name"),
            uuid: text("uuid"),
            tags: child(root, "metadata").and_then(read_tags),
            memory_mib: child(root, "memory").and_then(mebibytes),
            cpus: text("vcpu").parse().ok(),
            macs: all("interface")
                .filter_map(|interface| child(interface, "mac")?.attribute("address").map(str::to_ascii_lowercase))
                .collect(),
            disks: all("disk")
                .filter_map(|disk| Some((child(disk, "target")?.attribute("dev")?.to_owned(), path(disk)?.to_owned())))
                .collect(),
            agent_connected: all("channel").filter_map(|channel| child(channel, "target")).any(|target| {
                target.attribute("name") == Some(AGENT_CHANNEL) && target.attribute("state") == Some("connected")
            }),
        }
    }

    /// Path of the file that is the disk at this target.
    pub(super) fn disk(&self, target: &str) -> Option<&str> {
        self.disks.iter().find(|(dev, _)| dev == target).map(|(_, path)| path.as_str())
    }

    /// Paths of all files that are disks.
    pub(super) fn disk_paths(&self) -> impl Iterator<Item = &str> {
        self.disks.iter().map(|(_, path)| path.as_str())
    }
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenVolume {
    pub(super) path: String,
    pub(super) format: String,
    pub(super) capacity_bytes: u64,
    /// Path of the volume it is based on.
    pub(super) backing: Option<String>,
}

impl SeenVolume {
    pub(super) fn parse(xml: &str) -> Result<Self> {
        let document = parse(xml)?;
        let root = document.root_element();
        let target = child(root, "target").ok_or_else(|| unexpected("a volume without target"))?;
        let path = |node| child(node, "path").and_then(|path| path.text()).map(str::to_owned);
        Ok(Self {
            path: path(target).ok_or_else(|| unexpected("a volume without path"))?,
            format: child(target, "format").and_then(|node| node.attribute("type")).unwrap_or("raw").to_owned(),
            capacity_bytes: child(root, "capacity")
                .and_then(|node| node.text()?.trim().parse().ok())
                .ok_or_else(|| unexpected("a volume without capacity"))?,
            backing: child(root, "backingStore").and_then(path),
        })
    }
}

/// Whether a host's capabilities offer KVM for the machines we make.
pub(super) fn offers_kvm(capabilities: &str) -> Result<bool> {
    let document = parse(capabilities)?;
    Ok(document
        .descendants()
        .filter(|node| node.has_tag_name("arch") && node.attribute("name") == Some("x86_64"))
        .flat_map(|arch| arch.children())
        .any(|node| node.has_tag_name("domain") && node.attribute("type") == Some("kvm")))
}

/// The `<cpu>` of a host's capabilities, as XML of its own.
pub(super) fn host_cpu(capabilities: &str) -> Result<Option<String>> {
    let document = parse(capabilities)?;
    let cpu = child(document.root_element(), "host").and_then(|host| child(host, "cpu"));
    Ok(cpu.and_then(|cpu| capabilities.get(cpu.range())).map(str::to_owned))
}

/// Whether a `<cpu>` names a feature.
pub(super) fn has_feature(cpu: &str, wanted: &[&str]) -> Result<bool> {
    let document = parse(cpu)?;
    Ok(document
        .descendants()
        .filter(|node| node.has_tag_name("feature"))
        .any(|node| node.attribute("name").is_some_and(|name| wanted.contains(&name))))
}

fn read_tags(metadata: Node) -> Option<Tags> {
    let marks = metadata.children().find(|node| node.has_tag_name((NAMESPACE, "appliance")))?;
    Some(Tags {
        installation_id: marks.attribute("installation")?.to_owned(),
        appliance_id: marks.attribute("id")?.parse().ok()?,
        epoch: marks.attribute("epoch")?.parse().ok()?,
    })
}

/// libvirt writes KiB unless a unit says otherwise; we write MiB.
fn mebibytes(memory: Node) -> Option<u32> {
    let number: u64 = memory.text()?.trim().parse().ok()?;
    let mebibytes = match memory.attribute("unit").unwrap_or("KiB") {
        "KiB" => number / 1024,
        "MiB" => number,
        _ => return None,
    };
    u32::try_from(mebibytes).ok()
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn parse(xml: &str) -> Result<Document<'_>> {
    Document::parse(xml).map_err(|error| unexpected(&format!("XML that is none ({error})")))
}

fn unexpected(what: &str) -> DriverError {
    DriverError::new(Reason::ProviderError, format!("libvirt answered with {what}; see that its version is supported"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions
mod tests {
    use super::*;

    #[test]
    fn a_domain_of_somebody_else_has_no_tags() {
        let seen = Seen::parse(
            "<domain><name>x</name><uuid>u</uuid><metadata><o:os xmlns:o='http://libosinfo.org'/></metadata>\
             <memory unit='KiB'>131072</memory><devices><disk type='block'><source dev='/dev/x'/><target dev='sda'/></disk>\
             <disk type='file' device='cdrom'><target dev='hda'/></disk>\
             <interface><mac address='52:54:00:AA:00:01'/></interface>\
             <channel><target name='org.qemu.guest_agent.0' state='connected'/></channel></devices></domain>",
        )
        .unwrap();
        assert_eq!(seen.tags, None);
        assert_eq!(seen.memory_mib, Some(128));
        assert_eq!(seen.macs, ["52:54:00:aa:00:01"]);
        assert_eq!(seen.disk_paths().collect::<Vec<_>>(), ["/dev/x"]);
        assert!(seen.agent_connected);
    }

    #[test]
    fn a_linked_volume_names_what_it_is_based_on() {
        let xml = "<volume><name>n</name><capacity unit='bytes'>7</capacity><target><path>/p/n</path><format type='qcow2'/></target>\
                   <backingStore><path>/p/t</path><format type='qcow2'/></backingStore></volume>";
        let seen = SeenVolume::parse(xml).unwrap();
        assert_eq!((seen.path.as_str(), seen.capacity_bytes, seen.backing.as_deref()), ("/p/n", 7, Some("/p/t")));
    }

    #[test]
    fn kvm_counts_only_where_the_host_offers_it_for_our_machines() {
        let capabilities = "<capabilities><host><cpu><arch>x86_64</arch><model>EPYC</model><feature name='vme'/></cpu></host>\
                            <guest><arch name='x86_64'><domain type='qemu'/></arch></guest>\
                            <guest><arch name='i686'><domain type='kvm'/></arch></guest></capabilities>";
        assert!(!offers_kvm(capabilities).unwrap());
        let cpu = host_cpu(capabilities).unwrap().unwrap();
        assert!(has_feature(&cpu, &["vme"]).unwrap());
        assert!(!has_feature(&cpu, &["vmx", "svm"]).unwrap());
    }
}
