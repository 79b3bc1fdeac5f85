//! Power: on, off, and in between.

use super::{Millis, Operation, Power, Refused, Reply, Sim, Struck, Vm, act::Done};

impl Sim {
    pub(super) fn start(&mut self, now: Millis, name: &str, struck: Struck) -> Done {
        let vm = self.alive(name)?;
        match vm.power {
            Power::Off => self.boot(now, name, Operation::Start, struck),
            Power::Suspended => self.thaw(now, name, Operation::Start, struck),
            Power::On | Power::Changing => Ok((now.max(vm.power_at), Reply::Done)),
        }
    }

    pub(super) fn reboot(&mut self, now: Millis, name: &str, struck: Struck) -> Done {
        self.alive(name)?;
        self.boot(now, name, Operation::Reboot, struck)
    }

    pub(super) fn stop(&mut self, now: Millis, name: &str, struck: Struck) -> (Millis, Reply) {
        let Some(vm) = self.find(name).filter(|vm| vm.gone_at.is_none()) else { return (now, Reply::Done) };
        if vm.power == Power::Off {
            return (now.max(vm.power_at), Reply::Done);
        }
        let vm = Vm { power: Power::Off, address_at: None, answers_at: None, crash_at: None, ..vm.clone() };
        let at = self.after(now.max(vm.present_at), |latency| latency.stop);
        self.powered(now, at, Operation::Stop, Vm { power_at: at, ..vm }, struck)
    }

    pub(super) fn suspend(&mut self, now: Millis, name: &str, struck: Struck) -> Done {
        let vm = self.alive(name)?;
        match vm.power {
            Power::Suspended => Ok((now.max(vm.power_at), Reply::Done)),
            Power::On => {
                let vm = vm.clone();
                let at = self.after(now.max(vm.power_at), |latency| latency.stop);
                let vm = Vm { power: Power::Suspended, power_at: at, ..vm };
                Ok(self.powered(now, at, Operation::Suspend, vm, struck))
            }
            Power::Off | Power::Changing => Err(Refused::invalid(format!("{name} is off; start it first"))),
        }
    }

    pub(super) fn resume(&mut self, now: Millis, name: &str, struck: Struck) -> Done {
        let vm = self.alive(name)?;
        match vm.power {
            Power::On => Ok((now.max(vm.power_at), Reply::Done)),
            Power::Suspended => self.thaw(now, name, Operation::Resume, struck),
            Power::Off | Power::Changing => Err(Refused::invalid(format!("{name} is off; start it instead"))),
        }
    }

    pub(super) fn make_snapshot(&mut self, now: Millis, name: &str, snapshot: &str) -> Done {
        let vm = self.alive(name)?;
        let mut vm = vm.clone();
        vm.snapshots.insert(snapshot.to_owned(), vm.power);
        Ok(self.changed(now, Operation::Snapshot, vm))
    }

    /// To the power state of the snapshot: booted anew, if it was on then.
    pub(super) fn go_back(&mut self, now: Millis, name: &str, snapshot: &str, struck: Struck) -> Done {
        let vm = self.alive(name)?;
        let Some(power) = vm.snapshots.get(snapshot).copied() else {
            return Err(Refused::invalid(format!("{name} has no snapshot {snapshot}; make it first")));
        };
        if power == Power::On {
            return self.boot(now, name, Operation::Reset, struck);
        }
        let vm = Vm { power, address_at: None, answers_at: None, crash_at: None, ..vm.clone() };
        let at = self.after(now.max(vm.present_at), |latency| latency.change);
        // One that was frozen answers again as soon as it is thawed.
        let frozen = (power == Power::Suspended).then_some(at);
        let vm = Vm { power_at: at, address_at: frozen, answers_at: frozen, ..vm };
        Ok(self.powered(now, at, Operation::Reset, vm, struck))
    }

    /// On, whatever it was; an address and answers come later, if they come. One that is still being made waits for that.
    fn boot(&mut self, now: Millis, name: &str, operation: Operation, struck: Struck) -> Done {
        let vm = self.alive(name)?.clone();
        let at = self.after(now.max(vm.present_at), |latency| latency.start);
        let address_at = self.after(at, |latency| latency.boot);
        let answers_at = self.after(address_at, |latency| latency.ready);
        let vm = Vm {
            power: Power::On,
            power_at: at,
            address_at: (!struck.no_address).then_some(address_at),
            answers_at: (!struck.no_boot).then_some(answers_at),
            crash_at: None,
            ..vm
        };
        Ok(self.powered(now, at, operation, vm, struck))
    }

    /// On again, with what it had.
    fn thaw(&mut self, now: Millis, name: &str, operation: Operation, struck: Struck) -> Done {
        let vm = self.alive(name)?.clone();
        let at = self.after(now.max(vm.power_at), |latency| latency.start);
        Ok(self.powered(now, at, operation, Vm { power: Power::On, power_at: at, ..vm }, struck))
    }
}
