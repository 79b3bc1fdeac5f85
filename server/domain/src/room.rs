//! Room on a provider: what more fits there, and what is missing where nothing does.

use std::fmt;

use crate::{
    Timestamp,
    provider::{Capacity, CircuitState},
};

/// What one appliance takes of a provider. 0: unknown, and nothing is counted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Memory in MiB.
    pub memory_mib: u64,
    /// CPUs.
    pub cpus: u64,
}

/// Room on one provider, and whether it is used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Disabled, switched off or hidden: not used for new appliances.
    pub disabled: bool,
    /// The last check succeeded.
    pub working: bool,
    /// Whether deployments go there.
    pub circuit: CircuitState,
    /// When the next try begins, while the circuit is open; while it is half open, until when a check is awaited.
    pub next_try_at: Option<Timestamp>,
    /// Deployments allowed at once.
    pub provisioning_limit: u32,
    /// Deployments wanted or running.
    pub provisioning_count: u32,
    /// Appliances allowed; none: no limit.
    pub appliance_limit: Option<u32>,
    /// Appliances wanted or there.
    pub appliance_count: u32,
    /// Memory in MiB.
    pub memory: Capacity,
    /// CPUs.
    pub cpus: Capacity,
    /// What an appliance takes for which nothing else was asked.
    pub usual: Need,
}

/// What is missing for one more appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The provider is disabled, switched off or hidden.
    Disabled,
    /// The last check of the provider failed, or there was none yet.
    NotWorking,
    /// Too many deployments failed there one after the other.
    CircuitOpen {
        /// When the next try begins; none: it is under way.
        until: Option<Timestamp>,
    },
    /// As many appliances as are allowed are there.
    ApplianceLimit {
        /// So many.
        limit: u32,
    },
    /// Memory.
    Memory {
        /// MiB that are allowed.
        limit: u64,
        /// MiB of them that are free.
        free: u64,
    },
    /// CPUs.
    Cpus {
        /// CPUs that are allowed.
        limit: u64,
        /// CPUs of them that are free.
        free: u64,
    },
    /// As many deployments as are allowed are wanted or running.
    Slot {
        /// So many.
        limit: u32,
    },
}

impl Room {
    /// What an appliance takes with these overrides (MiB and CPUs).
    pub fn need(&self, memory_mib: Option<u32>, cpus: Option<u32>) -> Need {
        Need {
            memory_mib: memory_mib.map_or(self.usual.memory_mib, u64::from),
            cpus: cpus.map_or(self.usual.cpus, u64::from),
        }
    }

    /// Whether one more appliance that takes this can be deployed now; else what is missing. A slot is named last: it is the first to be free again.
    pub fn fits(&self, need: &Need) -> Result<(), NoRoom> {
        if self.disabled {
            return Err(NoRoom::Disabled);
        }
        if !self.working {
            return Err(NoRoom::NotWorking);
        }
        let tries = match (self.circuit, self.next_try_at) {
            (CircuitState::Closed, _) => self.provisioning_limit,
            // A check has succeeded: a single deployment tries.
            (CircuitState::HalfOpen, None) if self.provisioning_count == 0 => 1,
            (CircuitState::HalfOpen, _) => return Err(NoRoom::CircuitOpen { until: None }),
            (CircuitState::Open, until) => return Err(NoRoom::CircuitOpen { until }),
        };
        self.holds(need)?;
        if self.provisioning_count >= tries.min(self.provisioning_limit) {
            return Err(NoRoom::Slot { limit: self.provisioning_limit });
        }
        Ok(())
    }

    /// Whether there is room for the appliance as such, be it deployed now or later.
    fn holds(&self, need: &Need) -> Result<(), NoRoom> {
        if let Some(limit) = self.appliance_limit.filter(|limit| self.appliance_count >= *limit) {
            return Err(NoRoom::ApplianceLimit { limit });
        }
        if let Some((limit, free)) = short_of(&self.memory, need.memory_mib) {
            return Err(NoRoom::Memory { limit, free });
        }
        if let Some((limit, free)) = short_of(&self.cpus, need.cpus) {
            return Err(NoRoom::Cpus { limit, free });
        }
        Ok(())
    }

    /// What would be missing even if nothing were there: waiting does not help.
    pub fn never(&self, need: &Need) -> Option<NoRoom> {
        let empty = Self {
            appliance_count: 0,
            memory: Capacity { used: 0, ..self.memory },
            cpus: Capacity { used: 0, ..self.cpus },
            ..*self
        };
        empty.holds(need).err()
    }

    /// Counts one more appliance, wanted from now on.
    pub fn take(&mut self, need: &Need) {
        self.provisioning_count = self.provisioning_count.saturating_add(1);
        self.appliance_count = self.appliance_count.saturating_add(1);
        self.memory.used = self.memory.used.saturating_add(need.memory_mib);
        self.cpus.used = self.cpus.used.saturating_add(need.cpus);
    }

    /// Load from 0 (empty) upwards, 1000 being full: of appliances, memory and CPUs whatever is scarcest; deployments where none of them has an
    /// end. Memory and CPUs without a limit are measured by what there is, which they may exceed: providers lend more than they have.
    pub fn load(&self) -> u64 {
        let of = |used: u64, end: u64| used.saturating_mul(1000) / end.max(1);
        let share = |capacity: &Capacity| capacity.limit.or(capacity.total).map(|end| of(capacity.used, end));
        let appliances = self.appliance_limit.map(|limit| of(self.appliance_count.into(), limit.into()));
        let scarcest = [appliances, share(&self.memory), share(&self.cpus)].into_iter().flatten().max();
        scarcest.unwrap_or_else(|| of(self.provisioning_count.into(), self.provisioning_limit.into()))
    }
}

/// Limit and what is free of it, where that is less than is wanted.
fn short_of(capacity: &Capacity, wanted: u64) -> Option<(u64, u64)> {
    let limit = capacity.limit?;
    let free = limit.saturating_sub(capacity.used);
    (wanted > free).then_some((limit, free))
}

impl NoRoom {
    /// Name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "PROVIDER_DISABLED",
            Self::NotWorking => "PROVIDER_NOT_WORKING",
            Self::CircuitOpen { .. } => "CIRCUIT_OPEN",
            Self::ApplianceLimit { .. } => "APPLIANCE_LIMIT",
            Self::Memory { .. } => "NO_MEMORY",
            Self::Cpus { .. } => "NO_CPUS",
            Self::Slot { .. } => "NO_SLOT",
        }
    }

    /// Deployments go there as such: what is missing comes back as others end.
    pub fn is_used(self) -> bool {
        !matches!(self, Self::Disabled | Self::NotWorking | Self::CircuitOpen { .. })
    }

    /// What is placed there nevertheless only waits for others that are being deployed.
    pub fn is_slot(self) -> bool {
        matches!(self, Self::Slot { .. })
    }
}

/// What is missing, to follow the provider's key and a colon.
impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("it is disabled"),
            Self::NotWorking => f.write_str("its last check failed, or there was none yet"),
            Self::CircuitOpen { until: Some(until) } => {
                write!(
                    f,
                    "too many deployments failed there one after the other; tried again at {}",
                    until.format("%F %T UTC")
                )
            }
            Self::CircuitOpen { until: None } => {
                f.write_str("too many deployments failed there one after the other; a single one is being tried")
            }
            Self::ApplianceLimit { limit } => write!(f, "all {limit} appliances that are allowed are there"),
            Self::Memory { limit, free } => write!(f, "{free} MiB of its {limit} MiB of memory are free"),
            Self::Cpus { limit, free } => write!(f, "{free} of its {limit} CPUs are free"),
            Self::Slot { limit } => write!(f, "all {limit} deployments that are allowed at once are under way"),
        }
    }
}

#[cfg(test)]
mod tests;
