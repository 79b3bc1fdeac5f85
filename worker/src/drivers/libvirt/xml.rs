//! The XML we give to libvirt: domains, volumes, disks, snapshots, and our marks.

use std::fmt::{Display, Formatter, Write as _};

use crate::driver::Tags;

/// Namespace of our element in a domain's `<metadata>`.
pub(super) const NAMESPACE: &str = "urn:sprout:appliance:1";
/// The prefix we write it with.
pub(super) const PREFIX: &str = "sprout";
/// Target of an appliance's own disk and of its extra one.
pub(super) const MAIN_DISK: &str = "vda";
pub(super) const EXTRA_DISK: &str = "vdb";
/// Name of the guest agent's channel, given by QEMU.
pub(super) const AGENT_CHANNEL: &str = "org.qemu.guest_agent.0";

/// What runs a domain's instructions: the processor, or an emulation of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HypervisorType {
    Kvm,
    Qemu,
}

/// Text as XML wants it, in elements and in attributes. Control characters have no form in XML; they are refused before.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            c => f.write_char(c),
        })
    }
}

/// A new appliance.
#[derive(Debug)]
pub(super) struct DomainXml<'a> {
    pub(super) name: &'a str,
    pub(super) tags: &'a Tags,
    pub(super) hypervisor: HypervisorType,
    pub(super) memory_mib: u32,
    pub(super) cpus: u32,
    pub(super) disk: &'a str,
    pub(super) network: &'a str,
}

impl Display for DomainXml<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        // An emulated processor translates code; 32 MiB hold what a small guest needs instead of a gigabyte by default.
        let (kind, feature, cpu) = match self.hypervisor {
            HypervisorType::Kvm => ("kvm", "", "<cpu mode='host-passthrough'/>"),
            HypervisorType::Qemu => ("qemu", "<tcg><tb-cache unit='MiB'>32</tb-cache></tcg>", ""),
        };
        write!(
            f,
            "<domain type='{kind}'>\
             <name>{name}</name>\
             <metadata>{tags}</metadata>\
             <memory unit='MiB'>{memory}</memory>\
             <vcpu>{cpus}</vcpu>\
             <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>\
             <features><acpi/><apic/>{feature}</features>{cpu}\
             <clock offset='utc'/>\
             <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>\
             <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>\
             <devices>\
             <controller type='usb' model='none'/>\
             {disk}\
             <interface type='network'><source network='{network}'/><model type='virtio'/><rom enabled='no'/></interface>\
             <serial type='pty'/><console type='pty'/>\
             <channel type='unix'><target type='virtio' name='{AGENT_CHANNEL}'/></channel>\
             <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\
             </devices></domain>",
            name = Escaped(self.name),
            tags = tags(self.tags),
            memory = self.memory_mib,
            cpus = self.cpus,
            disk = disk(self.disk, MAIN_DISK),
            network = Escaped(self.network),
        )
    }
}

/// Our marks as the element that a domain's metadata hold.
pub(super) fn tags(tags: &Tags) -> String {
    format!("<{PREFIX}:appliance xmlns:{PREFIX}='{NAMESPACE}' {}/>", tag_attributes(tags))
}

/// Our marks as libvirt wants them for a change of metadata: it adds prefix and namespace by itself.
pub(super) fn bare_tags(tags: &Tags) -> String {
    format!("<appliance {}/>", tag_attributes(tags))
}

fn tag_attributes(tags: &Tags) -> String {
    let installation = Escaped(&tags.installation_id);
    format!("installation='{installation}' id='{}' epoch='{}'", tags.appliance_id, tags.epoch)
}

/// A qcow2 file as a disk.
pub(super) fn disk(path: &str, target: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>\
         <source file='{}'/><target dev='{target}' bus='virtio'/></disk>",
        Escaped(path)
    )
}

/// A qcow2 volume; with `backing`, one that holds only what differs from that volume (path, format).
pub(super) fn volume(name: &str, capacity_bytes: u64, backing: Option<(&str, &str)>) -> String {
    let backing = backing.map_or_else(String::new, |(path, format)| {
        let (path, format) = (Escaped(path), Escaped(format));
        format!("<backingStore><path>{path}</path><format type='{format}'/></backingStore>")
    });
    format!(
        "<volume><name>{}</name><capacity unit='bytes'>{capacity_bytes}</capacity><allocation>0</allocation>\
         <target><format type='qcow2'/></target>{backing}</volume>",
        Escaped(name)
    )
}

/// An empty file that only exists.
pub(super) fn marker_volume(name: &str) -> String {
    format!(
        "<volume><name>{}</name><capacity>0</capacity><target><format type='raw'/></target></volume>",
        Escaped(name)
    )
}

/// A snapshot.
pub(super) fn snapshot(name: &str) -> String {
    format!("<domainsnapshot><name>{}</name></domainsnapshot>", Escaped(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions
mod tests {
    use super::*;
    use crate::drivers::libvirt::seen::Seen;

    const NASTY: &str = "a&b<c>'d\"é";

    #[test]
    fn what_is_written_is_read_back_whatever_the_names() {
        for hypervisor in [HypervisorType::Kvm, HypervisorType::Qemu] {
            let tags = Tags { installation_id: NASTY.into(), appliance_id: u64::MAX, epoch: 3 };
            let xml = DomainXml {
                name: NASTY,
                tags: &tags,
                hypervisor,
                memory_mib: 96,
                cpus: 2,
                disk: NASTY,
                network: NASTY,
            };
            let seen = Seen::parse(&xml.to_string()).unwrap();
            assert_eq!(seen.name, NASTY);
            assert_eq!(seen.tags, Some(tags));
            assert_eq!((seen.memory_mib, seen.cpus), (Some(96), Some(2)));
            assert_eq!(seen.disk(MAIN_DISK), Some(NASTY));
            assert_eq!(seen.disk(EXTRA_DISK), None);
        }
    }

    #[test]
    fn everything_else_is_well_formed() {
        for xml in
            [volume(NASTY, 1, Some((NASTY, "qcow2"))), volume(NASTY, 1, None), marker_volume(NASTY), snapshot(NASTY)]
        {
            let document = roxmltree::Document::parse(&xml).unwrap();
            let name = document.descendants().find(|node| node.has_tag_name("name")).unwrap();
            assert_eq!(name.text(), Some(NASTY));
        }
    }
}
