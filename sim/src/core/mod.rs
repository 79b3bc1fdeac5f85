//! The provider as a pure state machine: time and randomness come from outside, effects go out as journal entries.
//!
//! A call has three moments. It is taken in ([`Sim::begin`]: which faults befall it, and when it is carried out), carried
//! out ([`Sim::act`]: all its effects, and when it is answered), and answered. The caller lets the time between them pass; in
//! between, other calls go on. What happens later by itself (a creation ends, an instance is lost) has its time written
//! down, and takes place before whatever comes next ([`Sim::settle`]). No call costs more with more instances there,
//! but listing them.

mod act;
mod call;
mod change;
mod config;
mod create;
mod fault;
mod journal;
mod latency;
mod power;
mod restore;
#[cfg(test)]
mod tests;
mod vm;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::{SeedableRng as _, rngs::StdRng};

pub use self::{
    call::{Begun, Call, Fate, Operation, Outcome, Refused, Reply, Struck},
    config::{Capability, Capacity, Config, Latencies},
    fault::{Fault, FaultKind},
    journal::{Change, Entry, Snapshot},
    latency::Latency,
    vm::{Power, Tags, View, Vm},
};

/// Milliseconds since 1970, by whatever clock the caller has; must not run backwards.
pub type Millis = u64;

/// A simulated provider.
#[derive(Debug)]
pub struct Sim {
    config: Config,
    rng: StdRng,
    vms: BTreeMap<u64, Vm>,
    by_name: HashMap<String, u64>,
    by_address: HashMap<u32, u64>,
    /// Name and the version that its instances answer.
    templates: BTreeMap<String, String>,
    faults: Vec<Fault>,
    /// When something of an instance happens by itself.
    timers: BTreeSet<(Millis, u64)>,
    memory_mib: u64,
    creating: u32,
    next_id: u64,
    /// Number of the last entry.
    number: u64,
    /// Entries that nobody took yet.
    entries: Vec<Entry>,
}

impl Sim {
    /// A provider with nothing but the templates of its configuration.
    pub fn new(config: Config) -> Self {
        let mut sim = Self::empty(config);
        sim.templates = sim.config.templates.clone();
        sim.faults = sim.config.faults.clone();
        sim
    }

    fn empty(config: Config) -> Self {
        Self {
            rng: StdRng::seed_from_u64(config.seed),
            config,
            vms: BTreeMap::new(),
            by_name: HashMap::new(),
            by_address: HashMap::new(),
            templates: BTreeMap::new(),
            faults: Vec::new(),
            timers: BTreeSet::new(),
            memory_mib: 0,
            creating: 0,
            next_id: 1,
            number: 0,
            entries: Vec::new(),
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The port that instances answer on.
    pub fn set_appliance_port(&mut self, port: u16) {
        self.config.appliance_port = port;
    }

    /// What happened since the last time this was called, oldest first.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// How many instances are there, those that are being created included.
    pub fn instances(&self) -> usize {
        self.vms.len()
    }

    /// How many instances are being created.
    pub fn creating(&self) -> u32 {
        self.creating
    }

    /// When something happens next by itself.
    pub fn next_timer(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Lets everything happen that is due.
    pub fn settle(&mut self, now: Millis) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= now) {
            let Some(vm) = self.vms.get(&id) else {
                self.timers.pop_first();
                continue;
            };
            let change = vm.due(at);
            self.record(at, None, change);
        }
    }

    /// The text that the instance at this address answers with; none: nothing answers there.
    pub fn answer_at(&mut self, now: Millis, address: std::net::Ipv4Addr) -> Option<&str> {
        self.settle(now);
        let vm = self.vms.get(self.by_address.get(&vm::slot_at(address)?)?)?;
        vm.answers(now).then_some(vm.version.as_str())
    }

    /// All faults, with how often each happened.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Replaces all faults; says what is wrong with them.
    pub fn set_faults(&mut self, now: Millis, faults: Vec<Fault>) -> Result<(), String> {
        faults.iter().try_for_each(Fault::check)?;
        self.settle(now);
        self.record(now, None, Change::FaultsSet { faults });
        Ok(())
    }

    /// Deletes everything, and goes back to what the configuration says.
    pub fn reset(&mut self, now: Millis) {
        self.settle(now);
        let (templates, faults) = (self.config.templates.clone(), self.config.faults.clone());
        self.record(now, None, Change::Reset { templates, faults });
    }

    fn find(&self, name: &str) -> Option<&Vm> {
        self.vms.get(self.by_name.get(name)?)
    }

    /// An instance on which something can be done.
    fn alive(&self, name: &str) -> Result<&Vm, Refused> {
        let vm = self.find(name).ok_or_else(|| Refused::absent(name))?;
        match vm.gone_at {
            None => Ok(vm),
            Some(_) => Err(Refused::invalid(format!("{name} is being deleted; wait until it is gone"))),
        }
    }
}
