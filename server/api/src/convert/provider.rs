//! Providers on the wire. What is configured of them (and may be secret) is not part of it.

use sprout_domain::{
    operation::Capability,
    provider::{Capacity, CircuitState, Provider},
};
use sprout_proto::{provider as proto, task};

use super::{Wire, moment};

impl From<Wire<Provider>> for proto::Provider {
    fn from(Wire(provider): Wire<Provider>) -> Self {
        let disabled = provider.is_disabled();
        Self {
            key: provider.key.0,
            name: provider.name,
            r#type: provider.driver,
            working: provider.working,
            disabled,
            status: provider.status,
            checked_at: provider.checked_at.map(moment),
            provisioning_limit: provider.provisioning_limit,
            provisioning_count: provider.load.provisioning_count,
            appliance_limit: provider.appliance_limit,
            appliance_count: provider.load.appliance_count,
            template_count: provider.load.template_count,
            hidden: provider.hidden,
            circuit: match provider.circuit.state {
                CircuitState::Closed => proto::CircuitState::Closed,
                CircuitState::Open => proto::CircuitState::Open,
                CircuitState::HalfOpen => proto::CircuitState::HalfOpen,
            }
            .into(),
            circuit_reason: provider.circuit.reason,
            circuit_next_try_at: provider.circuit.next_try_at.map(moment),
            user_groups: provider.user_groups,
            memory_mib: Some(Wire(provider.memory).into()),
            cpus: Some(Wire(provider.cpus).into()),
            capabilities: provider.capabilities.into_iter().map(|can| capability(can).into()).collect(),
        }
    }
}

fn capability(capability: Capability) -> task::Capability {
    match capability {
        Capability::Power => task::Capability::Power,
        Capability::Suspend => task::Capability::Suspend,
        Capability::Rename => task::Capability::Rename,
        Capability::RenameOff => task::Capability::RenameOff,
        Capability::Disk => task::Capability::Disk,
        Capability::Snapshot => task::Capability::Snapshot,
        Capability::Resize => task::Capability::Resize,
        Capability::ResizeOff => task::Capability::ResizeOff,
        Capability::MakeTemplate => task::Capability::MakeTemplate,
    }
}

impl From<Wire<Capacity>> for proto::Capacity {
    fn from(Wire(capacity): Wire<Capacity>) -> Self {
        Self { total: capacity.total, used: capacity.used, limit: capacity.limit }
    }
}
