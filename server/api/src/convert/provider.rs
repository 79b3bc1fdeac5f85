//! Providers on the wire. What is configured of them (and may be secret) is not part of it.

use sprout_domain::provider::{Capacity, CircuitState, Provider};
use sprout_proto::provider as proto;

use super::{Wire, moment};

impl From<Wire<Provider>> for proto::Provider {
    fn from(Wire(provider): Wire<Provider>) -> Self {
        Self {
            key: provider.key.0,
            name: provider.name,
            r#type: provider.driver,
            working: provider.working,
            disabled: provider.disabled || provider.switched_off,
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
            user_groups: Vec::new(),
            memory_mib: Some(Wire(provider.memory).into()),
            cpus: Some(Wire(provider.cpus).into()),
        }
    }
}

impl From<Wire<Capacity>> for proto::Capacity {
    fn from(Wire(capacity): Wire<Capacity>) -> Self {
        Self { total: capacity.total, used: capacity.used, limit: capacity.limit }
    }
}
