//! Which call does what.

use std::ops::Bound;

use sprout_proto::task::StepErrorReason as Reason;

use super::{Call, Capability, Change, Latency, Millis, Operation, Power, Refused, Reply, Sim, Struck, Vm};

/// When it is answered, and with what.
pub(super) type Done = Result<(Millis, Reply), Refused>;

impl Sim {
    pub(super) fn carry_out(&mut self, now: Millis, call: &Call, struck: Struck) -> Done {
        self.able(call.operation())?;
        match call {
            Call::Check => Ok(self.looked(now, Reply::Done)),
            Call::ListTemplates => Ok(self.looked(now, Reply::Templates(self.templates.keys().cloned().collect()))),
            Call::List { after, limit } => {
                let port = self.config.appliance_port;
                let some = self.vms.range((Bound::Excluded(*after), Bound::Unbounded)).take(*limit);
                let views = some.map(|(_, vm)| vm.view(now, port)).collect();
                Ok(self.looked(now, Reply::Instances(views)))
            }
            Call::Find { name } => {
                let view = self.find(name).map(|vm| vm.view(now, self.config.appliance_port));
                Ok(self.looked(now, Reply::Instance(view)))
            }
            Call::Create { .. } => self.create(now, call, struck),
            Call::Delete { name, tags } => self.delete(now, name, tags.as_ref()),
            Call::Start { name } => self.start(now, name, struck),
            Call::Reboot { name } => self.reboot(now, name, struck),
            Call::Stop { name } => Ok(self.stop(now, name, struck)),
            Call::Suspend { name } => self.suspend(now, name, struck),
            Call::Resume { name } => self.resume(now, name, struck),
            Call::Tag { name, tags } => self.tag(now, name, tags),
            Call::Rename { name, new_name } => self.rename(now, name, new_name),
            Call::Resize { name, memory_mib, cpus } => self.resize(now, name, *memory_mib, *cpus),
            Call::Snapshot { name, snapshot } => self.make_snapshot(now, name, snapshot),
            Call::Reset { name, snapshot } => self.go_back(now, name, snapshot, struck),
            Call::AttachDisk { name, size_mib } => self.attach_disk(now, name, *size_mib),
            Call::DetachDisk { name } => self.detach_disk(now, name),
            Call::MakeTemplate { name, template } => self.make_template(now, name, template),
            Call::DeleteTemplate { template } => Ok(self.delete_template(now, template)),
        }
    }

    fn able(&self, operation: Operation) -> Result<(), Refused> {
        let needs = match operation {
            Operation::Suspend | Operation::Resume => Capability::Suspend,
            Operation::Snapshot | Operation::Reset => Capability::Snapshot,
            Operation::AttachDisk | Operation::DetachDisk => Capability::Disk,
            Operation::Rename => Capability::Rename,
            Operation::Resize => Capability::Resize,
            Operation::MakeTemplate | Operation::DeleteTemplate => Capability::MakeTemplate,
            _ => return Ok(()),
        };
        if self.config.can(needs) {
            return Ok(());
        }
        Err(Refused::new(Reason::Unsupported, format!("this simulator lacks {needs:?}; remove it from `lacks`")))
    }

    fn looked(&mut self, now: Millis, reply: Reply) -> (Millis, Reply) {
        (self.after(now, |latency| latency.look), reply)
    }

    /// The time after a latency.
    pub(super) fn after(&mut self, now: Millis, which: impl FnOnce(&super::Latencies) -> Latency) -> Millis {
        now + which(&self.config.latency).draw(&mut self.rng)
    }

    /// A change that takes as long as most do.
    pub(super) fn changed(&mut self, now: Millis, operation: Operation, vm: Vm) -> (Millis, Reply) {
        self.record(now, Some(operation), Change::Changed { vm });
        (self.after(now, |latency| latency.change), Reply::Done)
    }

    /// A change of the power state, which is reached at `at`.
    pub(super) fn powered(
        &mut self,
        now: Millis,
        at: Millis,
        operation: Operation,
        mut vm: Vm,
        struck: Struck,
    ) -> (Millis, Reply) {
        let before = self.vms.get(&vm.id).map_or(Power::Off, |before| before.power(now));
        vm.shown = struck.stale.map(|for_ms| (at + for_ms, before));
        if let Some(for_ms) = struck.lost {
            vm.lost_at = Some(at + for_ms);
        }
        if vm.power == Power::On {
            vm.crash_at = struck.crash.map(|for_ms| at + for_ms).or(vm.crash_at);
        }
        self.record(now, Some(operation), Change::Changed { vm });
        (at, Reply::Done)
    }
}
