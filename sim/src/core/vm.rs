//! One instance: what is kept of it, and what is seen of it at some time.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{Change, Millis};

/// Addresses of instances are 127.64.0.0/10: all on the loopback device, and one for each.
const NETWORK: u32 = 0x7f40_0000;
pub(super) const HOSTS: u32 = 0x003f_ffff;

/// Marks of whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)] // as in sprout.task.v1.Tags
pub struct Tags {
    pub installation_id: String,
    pub appliance_id: u64,
    pub epoch: u64,
}

impl Tags {
    /// Whether both mark the same thing; the epoch is not compared.
    pub(super) fn same(&self, other: &Self) -> bool {
        (&self.installation_id, self.appliance_id) == (&other.installation_id, other.appliance_id)
    }
}

/// Power states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Running.
    On,
    /// Not running.
    Off,
    /// Frozen.
    Suspended,
    /// On the way to another.
    Changing,
}

/// All there is of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vm {
    /// Never used again.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it was made of.
    pub template: String,
    /// What it answers with.
    pub version: String,
    /// Its marks; none: not made by a Sprout.
    pub tags: Option<Tags>,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// CPUs.
    pub cpus: u32,
    /// Ports inside that are published.
    pub ports: Vec<u16>,
    /// When its creation began.
    pub created_at: Millis,
    /// When its creation ends.
    pub present_at: Millis,
    /// Its creation has ended.
    pub present: bool,
    /// The power state it has, or gets.
    pub power: Power,
    /// When it gets that.
    pub power_at: Millis,
    /// When it gets an address, if it does.
    pub address_at: Option<Millis>,
    /// When it begins to answer, if it does.
    pub answers_at: Option<Millis>,
    /// When it powers off by itself.
    pub crash_at: Option<Millis>,
    /// When it is lost.
    pub lost_at: Option<Millis>,
    /// When its deletion ends.
    pub gone_at: Option<Millis>,
    /// Until when it is shown in another power state.
    pub shown: Option<(Millis, Power)>,
    /// Power states at its snapshots.
    pub snapshots: BTreeMap<String, Power>,
    /// Size of its extra disk.
    pub disk_mib: Option<u64>,
}

/// An instance as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as in sprout.provider.v1.Instance
pub struct View {
    pub id: u64,
    pub name: String,
    pub power: Power,
    pub tags: Option<Tags>,
    pub address: Option<Ipv4Addr>,
    /// Ports inside, and where they answer.
    pub published: Vec<(u16, u16)>,
    pub memory_mib: u32,
    pub cpus: u32,
}

impl Vm {
    /// Its address, whether or not it has it now.
    #[allow(clippy::cast_possible_truncation)] // the lower bits are meant
    pub(super) fn slot(&self) -> u32 {
        self.id as u32 & HOSTS
    }

    /// When something happens next by itself.
    pub(super) fn timer(&self) -> Option<Millis> {
        let present = (!self.present).then_some(self.present_at);
        [present, self.crash_at, self.lost_at, self.gone_at].into_iter().flatten().min()
    }

    /// What happens at that time.
    pub(super) fn due(&self, at: Millis) -> Change {
        let past = |time: Option<Millis>| time.is_some_and(|time| time <= at);
        if past(self.gone_at) || past(self.lost_at) {
            return Change::Gone { id: self.id };
        }
        if !self.present && self.present_at <= at {
            return Change::Created { vm: Self { present: true, ..self.clone() } };
        }
        let crashed = Self { crash_at: None, ..self.clone() };
        // Powered off meanwhile, there is nothing left to crash.
        if self.power == Power::Off {
            return Change::Changed { vm: crashed };
        }
        Change::Changed { vm: Self { power: Power::Off, power_at: at, address_at: None, answers_at: None, ..crashed } }
    }

    /// Its power state at this time, truly.
    pub(super) fn power(&self, now: Millis) -> Power {
        if self.gone_at.is_some() || !self.present || self.power_at > now { Power::Changing } else { self.power }
    }

    fn has_address(&self, now: Millis) -> bool {
        self.power(now) == Power::On && self.address_at.is_some_and(|at| at <= now)
    }

    pub(super) fn answers(&self, now: Millis) -> bool {
        self.has_address(now) && self.answers_at.is_some_and(|at| at <= now)
    }

    pub(super) fn view(&self, now: Millis, appliance_port: u16) -> View {
        let shown = self.shown.filter(|(until, _)| *until > now).map(|(_, power)| power);
        let power = shown.unwrap_or_else(|| self.power(now));
        let located = power == Power::On && self.has_address(now);
        View {
            id: self.id,
            name: self.name.clone(),
            power,
            tags: self.tags.clone(),
            address: located.then(|| Ipv4Addr::from(NETWORK | self.slot())),
            published: if located {
                self.ports.iter().map(|port| (*port, appliance_port)).collect()
            } else {
                Vec::new()
            },
            memory_mib: self.memory_mib,
            cpus: self.cpus,
        }
    }
}

/// Which instance has this address, if it is one of theirs.
pub(super) fn slot_at(address: Ipv4Addr) -> Option<u32> {
    let bits = address.to_bits();
    (bits & !HOSTS == NETWORK).then_some(bits & HOSTS)
}
