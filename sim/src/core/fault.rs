//! What can go wrong, when, and how a call is struck by it.

use rand::Rng;
use serde::{Deserialize, Serialize};
use sprout_proto::task::StepErrorReason;

use super::{Change, Millis, Operation, Sim, Struck, call::Call};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How likely, for each call that it fits: above 0, up to 1.
    pub probability: f64,
    /// Calls that it fits; empty: all that the kind usually befalls.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Fits only instances whose names begin so.
    #[serde(default)]
    pub name_prefix: String,
    /// How often at most; 0: no limit.
    #[serde(default)]
    pub times: u64,
    /// How long, in milliseconds, for kinds that take time.
    #[serde(default = "a_second")]
    pub for_ms: u64,
    /// Why, for errors.
    #[serde(default = "provider_error", with = "reason")]
    pub reason: StepErrorReason,
    /// How often it happened; not for configuration.
    #[serde(default)]
    pub happened: u64,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The call fails, and nothing was done.
    Error,
    /// The call is carried out, and never answered.
    NoAnswer,
    /// The call is carried out, and its connection is cut.
    Disconnect,
    /// The call is carried out, and answered late.
    Slow,
    /// The call is carried out late.
    Late,
    /// The instance vanishes some time after the call.
    Lost,
    /// The instance powers off by itself some time after the call.
    Crash,
    /// The instance has an address and never answers there.
    NoBoot,
    /// The instance never has an address.
    NoAddress,
    /// For some time the instance is shown in the power state it had.
    Stale,
    /// Something of that name, which nobody marked, came first.
    NameClash,
}

impl FaultKind {
    /// Whether it can befall this call.
    fn can_befall(self, operation: Operation) -> bool {
        use Operation::{Create, Reboot, Reset, Resume, Start, Stop, Suspend};
        match self {
            Self::Error | Self::NoAnswer | Self::Disconnect | Self::Slow | Self::Late => true,
            Self::Lost => matches!(operation, Create | Start | Stop | Reboot | Suspend | Resume | Reset),
            Self::Crash => matches!(operation, Start | Reboot | Resume),
            Self::NoBoot | Self::NoAddress => matches!(operation, Start | Reboot),
            Self::Stale => matches!(operation, Start | Stop | Reboot | Suspend | Resume | Reset),
            Self::NameClash => operation == Create,
        }
    }
}

impl Fault {
    /// Says what cannot be.
    pub fn check(&self) -> Result<(), String> {
        let kind = self.kind;
        if !(self.probability > 0.0 && self.probability <= 1.0) {
            return Err(format!("a fault {kind:?} has the probability {}; use more than 0, up to 1", self.probability));
        }
        match self.operations.iter().find(|operation| !kind.can_befall(**operation)) {
            Some(operation) => Err(format!("a fault {kind:?} cannot befall {operation:?}; name other operations")),
            None => Ok(()),
        }
    }

    fn fits(&self, operation: Operation, name: &str) -> bool {
        let listed = self.operations.is_empty() || self.operations.contains(&operation);
        let left = self.times == 0 || self.happened < self.times;
        listed && left && self.kind.can_befall(operation) && name.starts_with(&self.name_prefix)
    }
}

impl Sim {
    /// Draws which faults befall a call, and notes them.
    pub(super) fn strike(&mut self, now: Millis, call: &Call) -> Struck {
        let (operation, name) = (call.operation(), call.name().to_owned());
        let mut struck = Struck::default();
        for index in 0..self.faults.len() {
            let fault = &self.faults[index];
            if !fault.fits(operation, &name) || !self.rng.random_bool(fault.probability) {
                continue;
            }
            let for_ms = fault.for_ms;
            match fault.kind {
                FaultKind::Error => struck.error = Some(fault.reason),
                FaultKind::NoAnswer => struck.no_answer = true,
                FaultKind::Disconnect => struck.disconnect = true,
                FaultKind::Slow => struck.slow += for_ms,
                FaultKind::Late => struck.late += for_ms,
                FaultKind::Lost => struck.lost = Some(for_ms),
                FaultKind::Crash => struck.crash = Some(for_ms),
                FaultKind::NoBoot => struck.no_boot = true,
                FaultKind::NoAddress => struck.no_address = true,
                FaultKind::Stale => struck.stale = Some(for_ms),
                FaultKind::NameClash => struck.name_clash = true,
            }
            let change = Change::Fault { index, kind: fault.kind, name: name.clone() };
            self.record(now, Some(operation), change);
        }
        struck
    }
}

fn a_second() -> u64 {
    1000
}

fn provider_error() -> StepErrorReason {
    StepErrorReason::ProviderError
}

/// Reasons by their names in the protocol, in small letters.
mod reason {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use sprout_proto::task::StepErrorReason;

    const PREFIX: &str = "STEP_ERROR_REASON_";

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's way
    pub(super) fn serialize<S: Serializer>(reason: &StepErrorReason, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&reason.as_str_name()[PREFIX.len()..].to_lowercase())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StepErrorReason, D::Error> {
        let name = String::deserialize(deserializer)?;
        StepErrorReason::from_str_name(&format!("{PREFIX}{}", name.to_uppercase())).ok_or_else(|| {
            D::Error::custom(format!("{name:?} is no reason; use provider_error, no_capacity, unreachable …"))
        })
    }
}
