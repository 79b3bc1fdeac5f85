//! Machines on the wire.

use sprout_app::MachineView;
use sprout_domain::{Error, Result, machine::MachineKind};
use sprout_proto::{appliance::PowerState, provider as proto};

use super::{Wire, moment};

/// The kinds that a filter asks for: on the wire there are fewer.
pub(crate) fn kinds(numbers: Vec<i32>) -> Result<Vec<MachineKind>> {
    let mut kinds = Vec::new();
    for number in numbers {
        match proto::MachineKind::try_from(number) {
            Ok(proto::MachineKind::Tracked) => kinds.push(MachineKind::Tracked),
            Ok(proto::MachineKind::Untracked) => kinds.extend([MachineKind::Untracked, MachineKind::Foreign]),
            Ok(proto::MachineKind::Leaked) => {
                kinds.extend([MachineKind::Leaked, MachineKind::Lost, MachineKind::Stray]);
            }
            Ok(proto::MachineKind::Unspecified) | Err(_) => {
                let message = format!("there is no kind {number}; use the kinds of the protos");
                return Err(Error::invalid("kinds", message));
            }
        }
    }
    Ok(kinds)
}

impl From<Wire<MachineKind>> for proto::MachineKind {
    fn from(Wire(kind): Wire<MachineKind>) -> Self {
        match kind {
            MachineKind::Tracked => Self::Tracked,
            MachineKind::Untracked | MachineKind::Foreign => Self::Untracked,
            MachineKind::Leaked | MachineKind::Lost | MachineKind::Stray => Self::Leaked,
        }
    }
}

impl From<Wire<MachineView>> for proto::Machine {
    fn from(Wire(MachineView { machine, last_seen_at, note }): Wire<MachineView>) -> Self {
        Self {
            name: machine.name,
            kind: proto::MachineKind::from(Wire(machine.kind)).into(),
            power_state: PowerState::from(Wire(machine.power)).into(),
            appliance_id: machine.appliance_id.map(u64::from),
            first_seen_at: Some(moment(machine.first_seen_at)),
            last_seen_at: Some(moment(last_seen_at)),
            note,
        }
    }
}
