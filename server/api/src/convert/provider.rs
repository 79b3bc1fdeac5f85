//! Providers on the wire. What is configured of them (and may be secret) is not part of it.

use sprout_domain::provider::Provider;
use sprout_proto::provider as proto;

use super::{Wire, moment};

impl From<Wire<Provider>> for proto::Provider {
    fn from(Wire(provider): Wire<Provider>) -> Self {
        Self {
            key: provider.key.0,
            name: provider.name,
            r#type: provider.driver,
            working: provider.working,
            disabled: provider.disabled,
            status: provider.status,
            checked_at: provider.checked_at.map(moment),
            provisioning_limit: provider.provisioning_limit,
            provisioning_count: provider.load.provisioning_count,
            appliance_limit: provider.appliance_limit,
            appliance_count: provider.load.appliance_count,
            template_count: provider.load.template_count,
        }
    }
}
