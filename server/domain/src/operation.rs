//! Operations: what people do to an appliance that was ready once, in which states, and what its provider must be able to do for it.
//!
//! ```text
//!               ready      off        suspended   orphaned
//! start         done (1)   starting   starting    –
//! stop          stopping   done       stopping    –
//! suspend       suspending –          done        –
//! resume        done (1)   –          starting    –
//! reboot        starting   –          –           –
//! reset         stopping   stopping   stopping    stopping
//! rename, disk  as it is   as it is   –           –
//!
//! (1) unless its power was seen otherwise: it may have been switched off behind our back.
//! ```

use std::{collections::BTreeSet, fmt};

use crate::{
    Error, Reason, Result,
    appliance::{Appliance, ApplianceEvent, ApplianceState, PowerState},
    workflow::WorkflowKind,
};

/// What people do to an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Powers on.
    Start,
    /// Powers off.
    Stop,
    /// Freezes, keeping the memory.
    Suspend,
    /// Continues what is frozen.
    Resume,
    /// Restarts the guest.
    Reboot,
    /// Gives it another name.
    Rename(String),
    /// Deploys it anew.
    Reset,
    /// Attaches an empty disk of so many MiB.
    AttachDisk(u64),
    /// Detaches its disk, and deletes it.
    DetachDisk,
}

/// What a provider can do beyond the life of an appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Power on, off, and restart; all can.
    Power,
    /// Freeze and continue.
    Suspend,
    /// Rename, on or off.
    Rename,
    /// Rename only what is off.
    RenameOff,
    /// Attach and detach a disk.
    Disk,
    /// Remember a state and go back to it.
    Snapshot,
    /// Change memory and CPUs, on or off.
    Resize,
    /// Change memory and CPUs only of what is off.
    ResizeOff,
    /// Make templates of appliances.
    MakeTemplate,
}

/// How an operation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// It is so already.
    Done,
    /// In this state.
    In(ApplianceState),
}

/// The longest name.
const NAME: usize = 63;
/// Disks are at most this large, in MiB.
const DISK_MIB: u64 = 16 * 1024 * 1024;

impl Capability {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Power,
        Self::Suspend,
        Self::Rename,
        Self::RenameOff,
        Self::Disk,
        Self::Snapshot,
        Self::Resize,
        Self::ResizeOff,
        Self::MakeTemplate,
    ];

    /// Name in tables and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Suspend => "suspend",
            Self::Rename => "rename",
            Self::RenameOff => "rename_off",
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
            Self::Resize => "resize",
            Self::ResizeOff => "resize_off",
            Self::MakeTemplate => "make_template",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.workflow().as_str())
    }
}

impl Operation {
    /// The workflow that does it.
    pub fn workflow(&self) -> WorkflowKind {
        match self {
            Self::Start => WorkflowKind::Start,
            Self::Stop => WorkflowKind::Stop,
            Self::Suspend => WorkflowKind::Suspend,
            Self::Resume => WorkflowKind::Resume,
            Self::Reboot => WorkflowKind::Reboot,
            Self::Rename(_) => WorkflowKind::Rename,
            Self::Reset => WorkflowKind::Reset,
            Self::AttachDisk(_) => WorkflowKind::AttachDisk,
            Self::DetachDisk => WorkflowKind::DetachDisk,
        }
    }

    /// Checks all that can be checked without looking anything up.
    ///
    /// # Errors
    /// [`Reason::InvalidArgument`] if a name or size cannot be.
    pub fn check(&self) -> Result<()> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match self {
            Self::Rename(name) if name.is_empty() || name.len() > NAME || !name.chars().all(fine) => {
                Err(Error::invalid("name", format!("a name is 1 to {NAME} letters, digits and -_. ; choose another")))
            }
            Self::Rename(name) if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                Err(Error::invalid("name", "a name begins with a letter or digit; choose another"))
            }
            Self::AttachDisk(size) if !(1..=DISK_MIB).contains(size) => {
                Err(Error::invalid("size_mib", format!("a disk has 1 to {DISK_MIB} MiB; choose another size")))
            }
            _ => Ok(()),
        }
    }

    /// How it begins with an appliance that nothing else is under way with.
    ///
    /// # Errors
    /// [`Reason::WrongState`] if that cannot be in its state, or it has a disk or a name that stands in the way.
    pub fn begin(&self, appliance: &Appliance) -> Result<Begin> {
        use ApplianceState as S;
        let Appliance { state, power, .. } = appliance;
        let (event, done) = match self {
            Self::Start | Self::Resume => (ApplianceEvent::Start, *state == S::Ready && !is_down(*power)),
            Self::Stop => (ApplianceEvent::Stop, *state == S::Off),
            Self::Suspend => (ApplianceEvent::Suspend, *state == S::Suspended),
            Self::Reboot => (ApplianceEvent::Start, false),
            Self::Reset => (ApplianceEvent::Reset, false),
            Self::Rename(name) => return renamed(appliance, name),
            Self::AttachDisk(_) | Self::DetachDisk => return self.with_disk(appliance),
        };
        if done {
            return Ok(Begin::Done);
        }
        let fits = match self {
            Self::Resume => *state != S::Off,
            Self::Reboot => *state == S::Ready,
            _ => true,
        };
        let next = state.after(event).filter(|_| fits);
        next.map(Begin::In).ok_or_else(|| self.wrong(appliance))
    }

    fn with_disk(&self, appliance: &Appliance) -> Result<Begin> {
        let Appliance { state, disk_mib, wanted_disk_mib, name, .. } = appliance;
        // What is wanted and not known to be there is what an operation left of which nobody learnt how it ended.
        let (there, perhaps) = (*disk_mib, disk_mib.or(*wanted_disk_mib));
        match self {
            Self::AttachDisk(size) if there == Some(*size) => Ok(Begin::Done),
            Self::AttachDisk(size) => match perhaps.filter(|known| known != size) {
                Some(known) => {
                    let says = format!(
                        "{name} has a disk of {known} MiB, and one at a time is all it can have; detach that first"
                    );
                    Err(Error::new(Reason::WrongState, says))
                }
                None => unchanged(*state).ok_or_else(|| self.wrong(appliance)),
            },
            _ if perhaps.is_none() => Ok(Begin::Done),
            _ => unchanged(*state).ok_or_else(|| self.wrong(appliance)),
        }
    }

    /// Checks that a provider that can do so much can do this to the appliance.
    ///
    /// # Errors
    /// [`Reason::Unsupported`] if it never can, [`Reason::WrongState`] if it could if the appliance were off.
    pub fn possible(&self, appliance: &Appliance, capabilities: &BTreeSet<Capability>) -> Result<()> {
        let can = |what| capabilities.contains(&what);
        let able = match self {
            // A worker that says nothing leaves it to the step, which fails where it cannot be done.
            _ if capabilities.is_empty() => true,
            Self::Start | Self::Stop | Self::Reboot | Self::Reset => true,
            Self::Suspend | Self::Resume => can(Capability::Suspend),
            Self::Rename(_) if can(Capability::RenameOff) && appliance.state != ApplianceState::Off => {
                let says =
                    format!("provider {} renames only what is off; stop {} first", appliance.provider, appliance.name);
                return Err(Error::new(Reason::WrongState, says));
            }
            Self::Rename(_) => can(Capability::Rename) || can(Capability::RenameOff),
            Self::AttachDisk(_) | Self::DetachDisk => can(Capability::Disk),
        };
        if able {
            return Ok(());
        }
        let what = match self {
            Self::Suspend | Self::Resume => "suspend and resume appliances",
            Self::Rename(_) => "rename appliances",
            _ => "attach and detach disks",
        };
        let says = format!(
            "provider {} cannot {what}; use an appliance on another one (see `sproutctl provider list`)",
            appliance.provider
        );
        Err(Error::new(Reason::Unsupported, says).with("provider", &*appliance.provider.0))
    }

    fn wrong(&self, appliance: &Appliance) -> Error {
        use ApplianceState as S;
        let Appliance { name, state, .. } = appliance;
        let advice = match state {
            S::Requested | S::Cloning | S::Starting | S::Preparing => "wait until it is ready",
            S::Stopping => "wait until it is off",
            S::Suspending => "wait until it is suspended",
            S::Off | S::Suspended => "start it first",
            S::Ready => "there is nothing to be done",
            S::Killing | S::Gone => "request a new one",
            S::Failed => "kill it and request a new one",
            S::Orphaned => "reset it, or kill it",
        };
        let says = format!("{name} is {state}, and {self} is not possible then; {advice}");
        Error::new(Reason::WrongState, says).with("state", state.as_str())
    }
}

impl WorkflowKind {
    /// It is an operation on an appliance that was ready once, which stays whatever becomes of it.
    pub fn is_operation(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::Stop
                | Self::Suspend
                | Self::Resume
                | Self::Reboot
                | Self::Rename
                | Self::Reset
                | Self::AttachDisk
                | Self::DetachDisk
        )
    }
}

fn renamed(appliance: &Appliance, to: &str) -> Result<Begin> {
    match &appliance.new_name {
        None if appliance.name == to => return Ok(Begin::Done),
        // It may be called so already: until that is known there is no third name.
        Some(reserved) if reserved != to => {
            let says = format!(
                "nobody knows whether {} is called {reserved} by now, because renaming it so did not end; rename it to {reserved} again first",
                appliance.name
            );
            return Err(Error::new(Reason::WrongState, says));
        }
        _ => {}
    }
    unchanged(appliance.state).ok_or_else(|| Operation::Rename(to.to_owned()).wrong(appliance))
}

/// For what leaves the state as it is.
fn unchanged(state: ApplianceState) -> Option<Begin> {
    matches!(state, ApplianceState::Ready | ApplianceState::Off).then_some(Begin::In(state))
}

fn is_down(power: PowerState) -> bool {
    matches!(power, PowerState::Off | PowerState::Suspended)
}

#[cfg(test)]
mod tests;
