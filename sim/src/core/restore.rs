//! Making a provider anew from what was kept of it.

use rand::{SeedableRng as _, rngs::StdRng};

use super::{Config, Entry, Sim, Snapshot};

impl Sim {
    /// The provider as it was: what a snapshot says, and what happened after it. Entries that the snapshot knows are
    /// skipped. The configuration may have changed: templates that are new in it are added, and faults that differ
    /// from those it had replace the present ones.
    pub fn restore(config: Config, snapshot: Snapshot, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut sim = Self::empty(config);
        (sim.number, sim.next_id) = (snapshot.number, snapshot.next_id.max(1));
        (sim.templates, sim.faults) = (snapshot.templates, snapshot.faults);
        snapshot.vms.into_iter().for_each(|vm| sim.put(vm));
        for entry in entries {
            if entry.number > sim.number {
                sim.take(&entry.change);
                sim.number = entry.number;
            }
        }
        for (name, version) in &sim.config.templates {
            if !snapshot.configured_templates.contains_key(name) {
                sim.templates.insert(name.clone(), version.clone());
            }
        }
        if snapshot.configured_faults != sim.config.faults {
            sim.faults = sim.config.faults.clone();
        }
        // Not what was drawn before, but the same each time.
        sim.rng = StdRng::seed_from_u64(sim.config.seed ^ sim.number.rotate_left(32));
        sim
    }

    /// Everything there is. Entries that were not taken are part of it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            number: self.number,
            next_id: self.next_id,
            vms: self.vms.values().cloned().collect(),
            templates: self.templates.clone(),
            faults: self.faults.clone(),
            configured_templates: self.config.templates.clone(),
            configured_faults: self.config.faults.clone(),
        }
    }
}
