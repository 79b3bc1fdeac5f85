//! Machines as they are shown.

use serde::Serialize;
use sprout_client::proto::{
    appliance::PowerState,
    provider::{Machine, MachineKind},
};

use super::{Row, lower, time};

/// One machine.
#[derive(Debug, Serialize)]
pub(crate) struct MachineView {
    name: String,
    kind: String,
    power_state: String,
    appliance_id: Option<u64>,
    first_seen_at: Option<String>,
    last_seen_at: Option<String>,
    note: String,
}

impl From<Machine> for MachineView {
    fn from(machine: Machine) -> Self {
        Self {
            kind: lower(machine.kind, MachineKind::as_str_name, "MACHINE_KIND_"),
            power_state: lower(machine.power_state, PowerState::as_str_name, "POWER_STATE_"),
            name: machine.name,
            appliance_id: machine.appliance_id,
            first_seen_at: time::rfc3339(machine.first_seen_at),
            last_seen_at: time::rfc3339(machine.last_seen_at),
            note: machine.note,
        }
    }
}

impl Row for MachineView {
    const PLURAL: &'static str = "machines";
    const COLUMNS: &'static [&'static str] = &["NAME", "KIND", "POWER", "FIRST SEEN", "LAST SEEN", "NOTE"];

    fn cells(&self) -> Vec<String> {
        let ago = |at: &Option<String>| time::relative(at.as_ref()).unwrap_or_else(|| "-".to_owned());
        vec![
            self.name.clone(),
            self.kind.clone(),
            self.power_state.clone(),
            ago(&self.first_seen_at),
            ago(&self.last_seen_at),
            self.note.clone(),
        ]
    }
}
