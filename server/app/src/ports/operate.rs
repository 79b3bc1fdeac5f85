//! What operations on appliances need and leave, as the store keeps it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sprout_domain::{ApplianceId, ProviderKey, Result, appliance::Appliance, operation::Capability};

/// Operations on appliances.
#[async_trait]
pub trait OperateRows: Send {
    /// Reserves a name for an appliance (locked) on its provider. `false`: another one there has it, or will have it.
    async fn reserve_name(&mut self, appliance: &Appliance, name: &str) -> Result<bool>;

    /// Writes an appliance (locked) as an operation left it: state, power, name and reserved name, address, endpoints, screen, the provider's id, disk,
    /// readiness and status.
    async fn set_operated(&mut self, appliance: &Appliance) -> Result<()>;

    /// Those of these appliances with which a worker is busy, also for a workflow that was ended. Their tasks are locked.
    async fn busy_appliances(&mut self, ids: &[ApplianceId]) -> Result<BTreeSet<ApplianceId>>;

    /// What the provider can do; empty: that is not known.
    async fn capabilities(&mut self, provider: &ProviderKey) -> Result<BTreeSet<Capability>>;

    /// Writes down what the provider can do.
    async fn set_capabilities(&mut self, provider: &ProviderKey, can: &BTreeSet<Capability>) -> Result<()>;
}
