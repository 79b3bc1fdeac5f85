//! What happened, in a form that everything can be made anew from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fault, FaultKind, Millis, Operation, Sim, Tags, Vm};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises by one.
    pub number: u64,
    /// When.
    pub at: Millis,
    /// The call that caused it; none: it happened by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Instances there after it.
    pub instances: u32,
    /// Instances being created after it.
    pub creating: u32,
    /// Name of what it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Marks of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// What.
    pub change: Change,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each field is what its name says
pub enum Change {
    /// An instance began to be created.
    Creating { vm: Vm },
    /// An instance was created.
    Created { vm: Vm },
    /// An instance changed.
    Changed { vm: Vm },
    /// An instance is gone.
    Gone { id: u64 },
    /// A template came.
    Template { name: String, version: String },
    /// A template is gone.
    TemplateGone { name: String },
    /// A fault happened: which, and to what.
    Fault { index: usize, kind: FaultKind, name: String },
    /// The faults were replaced.
    FaultsSet { faults: Vec<Fault> },
    /// Everything began anew.
    Reset { templates: BTreeMap<String, String>, faults: Vec<Fault> },
}

/// Everything there is, after the entry of this number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number of the last entry.
    pub number: u64,
    /// Id of the next instance.
    pub next_id: u64,
    /// The instances.
    pub vms: Vec<Vm>,
    /// The templates.
    pub templates: BTreeMap<String, String>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// The templates that the configuration had: those it has beyond them are new.
    pub configured_templates: BTreeMap<String, String>,
    /// The faults that the configuration had: if it has others, they are those from now on.
    pub configured_faults: Vec<Fault>,
}

impl Sim {
    /// Makes something happen, and notes it.
    pub(super) fn record(&mut self, at: Millis, operation: Option<Operation>, change: Change) {
        // What is gone has no name afterwards.
        let about = match &change {
            Change::Creating { vm } | Change::Created { vm } | Change::Changed { vm } => Some(vm),
            Change::Gone { id } => self.vms.get(id),
            _ => None,
        };
        let tags = about.and_then(|vm| vm.tags.clone());
        let name = match &change {
            Change::Template { name, .. } | Change::TemplateGone { name } | Change::Fault { name, .. } => name.clone(),
            _ => about.map(|vm| vm.name.clone()).unwrap_or_default(),
        };
        self.take(&change);
        self.number += 1;
        let instances = u32::try_from(self.vms.len()).unwrap_or(u32::MAX);
        let entry =
            Entry { number: self.number, at, operation, instances, creating: self.creating, name, tags, change };
        self.entries.push(entry);
    }

    /// The one place where anything changes, now and when it is made anew.
    pub(super) fn take(&mut self, change: &Change) {
        match change {
            Change::Creating { vm } | Change::Created { vm } | Change::Changed { vm } => self.put(vm.clone()),
            Change::Gone { id } => self.remove(*id),
            Change::Template { name, version } => {
                self.templates.insert(name.clone(), version.clone());
            }
            Change::TemplateGone { name } => {
                self.templates.remove(name);
            }
            Change::Fault { index, .. } => {
                if let Some(fault) = self.faults.get_mut(*index) {
                    fault.happened += 1;
                }
            }
            Change::FaultsSet { faults } => self.faults.clone_from(faults),
            Change::Reset { templates, faults } => {
                while let Some((&id, _)) = self.vms.first_key_value() {
                    self.remove(id);
                }
                self.templates.clone_from(templates);
                self.faults.clone_from(faults);
            }
        }
    }

    pub(super) fn put(&mut self, vm: Vm) {
        self.remove(vm.id);
        self.next_id = self.next_id.max(vm.id + 1);
        self.memory_mib += u64::from(vm.memory_mib);
        self.creating += u32::from(!vm.present);
        self.by_name.insert(vm.name.clone(), vm.id);
        self.by_address.insert(vm.slot(), vm.id);
        if let Some(at) = vm.timer() {
            self.timers.insert((at, vm.id));
        }
        self.vms.insert(vm.id, vm);
    }

    fn remove(&mut self, id: u64) {
        let Some(vm) = self.vms.remove(&id) else { return };
        self.memory_mib -= u64::from(vm.memory_mib);
        self.creating -= u32::from(!vm.present);
        self.by_name.remove(&vm.name);
        self.by_address.remove(&vm.slot());
        if let Some(at) = vm.timer() {
            self.timers.remove(&(at, id));
        }
    }
}
