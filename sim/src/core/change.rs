//! Changing an instance that is there: tags, name, size, disks.

use sprout_proto::task::StepErrorReason as Reason;

use super::{Capability, Millis, Operation, Refused, Reply, Sim, Tags, Vm, act::Done};

impl Sim {
    pub(super) fn tag(&mut self, now: Millis, name: &str, tags: &Tags) -> Done {
        let vm = self.alive(name)?;
        if vm.tags.as_ref() == Some(tags) {
            return Ok((now, Reply::Done));
        }
        let same = vm.tags.as_ref().is_some_and(|theirs| theirs.same(tags));
        if !self.config.can(Capability::Retag) {
            return if same {
                Ok((now, Reply::Done))
            } else {
                Err(Refused::new(Reason::NameTaken, format!("{name} carries other tags")))
            };
        }
        let vm = Vm { tags: Some(tags.clone()), ..vm.clone() };
        Ok(self.changed(now, Operation::Tag, vm))
    }

    pub(super) fn rename(&mut self, now: Millis, name: &str, new_name: &str) -> Done {
        let other = self.by_name.contains_key(new_name);
        if other && (name == new_name || !self.by_name.contains_key(name)) {
            return Ok((now, Reply::Done));
        }
        let vm = self.alive(name)?;
        if other {
            return Err(Refused::taken(new_name));
        }
        let vm = Vm { name: new_name.to_owned(), ..vm.clone() };
        Ok(self.changed(now, Operation::Rename, vm))
    }

    pub(super) fn resize(&mut self, now: Millis, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Done {
        let vm = self.alive(name)?;
        let (memory_mib, cpus) = (memory_mib.unwrap_or(vm.memory_mib), cpus.unwrap_or(vm.cpus));
        if memory_mib == 0 || cpus == 0 {
            return Err(Refused::invalid(format!(
                "{name} cannot have {memory_mib} MiB and {cpus} CPUs; use 1 or more"
            )));
        }
        self.room(u64::from(memory_mib.saturating_sub(vm.memory_mib)), 0)?;
        let vm = Vm { memory_mib, cpus, ..vm.clone() };
        Ok(self.changed(now, Operation::Resize, vm))
    }

    pub(super) fn attach_disk(&mut self, now: Millis, name: &str, size_mib: u64) -> Done {
        let vm = self.alive(name)?;
        if size_mib == 0 {
            return Err(Refused::invalid("a disk has a size; use 1 MiB or more"));
        }
        if vm.disk_mib.is_some() {
            return Ok((now, Reply::Done));
        }
        let vm = Vm { disk_mib: Some(size_mib), ..vm.clone() };
        Ok(self.changed(now, Operation::AttachDisk, vm))
    }

    pub(super) fn detach_disk(&mut self, now: Millis, name: &str) -> Done {
        let vm = self.alive(name)?;
        if vm.disk_mib.is_none() {
            return Ok((now, Reply::Done));
        }
        let vm = Vm { disk_mib: None, ..vm.clone() };
        Ok(self.changed(now, Operation::DetachDisk, vm))
    }
}
