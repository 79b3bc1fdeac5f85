//! Coming and going: instances and templates.

use std::collections::BTreeMap;

use sprout_proto::task::StepErrorReason as Reason;

use super::{Call, Change, Millis, Operation, Power, Refused, Reply, Sim, Struck, Tags, Vm, act::Done};

impl Sim {
    pub(super) fn create(&mut self, now: Millis, call: &Call, struck: Struck) -> Done {
        let Call::Create { template, name, tags, memory_mib, cpus, ports } = call else {
            return Err(Refused::invalid("not a creation"));
        };
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 63 || !name.chars().all(fine) {
            return Err(Refused::invalid(format!("{name:?} is no name; use 1 to 63 letters, digits and ._-")));
        }
        if self.by_name.contains_key(name) {
            return Err(Refused::taken(name));
        }
        let Some(version) = self.templates.get(template).cloned() else {
            return Err(Refused::new(
                Reason::TemplateNotFound,
                format!("there is no template {template}; list those there are"),
            ));
        };
        let (memory_mib, cpus) = (memory_mib.unwrap_or(self.config.memory_mib), cpus.unwrap_or(self.config.cpus));
        if memory_mib == 0 || cpus == 0 {
            return Err(Refused::invalid(format!(
                "{name} cannot have {memory_mib} MiB and {cpus} CPUs; use 1 or more"
            )));
        }
        self.room(memory_mib.into(), 1)?;
        let present_at = self.after(now, |latency| latency.create);
        let vm = Vm {
            id: self.free_id(),
            name: name.clone(),
            template: template.clone(),
            version,
            tags: Some(tags.clone()).filter(|_| !struck.name_clash),
            memory_mib,
            cpus,
            ports: ports.clone(),
            created_at: now,
            present_at,
            present: false,
            power: Power::Off,
            power_at: present_at,
            address_at: None,
            answers_at: None,
            crash_at: None,
            lost_at: struck.lost.map(|for_ms| present_at + for_ms),
            gone_at: None,
            shown: None,
            snapshots: BTreeMap::new(),
            disk_mib: None,
        };
        self.record(now, Some(Operation::Create), Change::Creating { vm });
        if struck.name_clash { Err(Refused::taken(name)) } else { Ok((present_at, Reply::Done)) }
    }

    /// The next id whose address nobody has.
    fn free_id(&self) -> u64 {
        let mut id = self.next_id;
        #[allow(clippy::cast_possible_truncation)] // the lower bits are meant
        while self.by_address.contains_key(&(id as u32 & super::vm::HOSTS)) {
            id += 1;
        }
        id
    }

    /// Fails unless there is room for so much more.
    pub(super) fn room(&self, memory_mib: u64, instances: usize) -> Result<(), Refused> {
        let full = |what: String| {
            Err(Refused::new(Reason::NoCapacity, format!("{what}; delete something, or raise the quota")))
        };
        let capacity = &self.config.capacity;
        if let Some(limit) = capacity.instances
            && self.vms.len() + instances > limit as usize
        {
            return full(format!("the quota of {limit} instances is used up"));
        }
        if let Some(limit) = capacity.memory_mib
            && self.memory_mib + memory_mib > limit
        {
            let used = self.memory_mib;
            return full(format!("{memory_mib} MiB more than the {used} MiB in use exceed the quota of {limit} MiB"));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, now: Millis, name: &str, tags: Option<&Tags>) -> Done {
        let Some(vm) = self.find(name) else { return Ok((now, Reply::Done)) };
        let fit = match (&vm.tags, tags) {
            (Some(theirs), Some(tags)) => theirs.same(tags),
            (theirs, tags) => theirs.is_none() && tags.is_none(),
        };
        if !fit {
            let message = format!("{name} carries other tags, or none; it is not touched: remove or rename it");
            return Err(Refused::new(Reason::NameTaken, message));
        }
        if let Some(gone_at) = vm.gone_at {
            return Ok((gone_at, Reply::Done));
        }
        let vm = vm.clone();
        let gone_at = self.after(now, |latency| latency.delete);
        let vm = Vm { gone_at: Some(gone_at), ..vm };
        self.record(now, Some(Operation::Delete), Change::Changed { vm });
        Ok((gone_at, Reply::Done))
    }

    pub(super) fn make_template(&mut self, now: Millis, name: &str, template: &str) -> Done {
        let version = self.alive(name)?.version.clone();
        if template.is_empty() {
            return Err(Refused::invalid("a template needs a name"));
        }
        if self.templates.contains_key(template) {
            return Err(Refused::taken(template));
        }
        let change = Change::Template { name: template.to_owned(), version };
        self.record(now, Some(Operation::MakeTemplate), change);
        Ok((self.after(now, |latency| latency.change), Reply::Done))
    }

    pub(super) fn delete_template(&mut self, now: Millis, template: &str) -> (Millis, Reply) {
        if self.templates.contains_key(template) {
            let change = Change::TemplateGone { name: template.to_owned() };
            self.record(now, Some(Operation::DeleteTemplate), change);
        }
        (self.after(now, |latency| latency.change), Reply::Done)
    }
}
