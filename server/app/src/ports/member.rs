//! Which pool appliances belong to, and changes of pools that are more than their course.

use async_trait::async_trait;
use sprout_domain::{ApplianceId, PoolId, Result, UserGroupId, UserId};

/// Appliances and pools, as they change hands.
#[async_trait]
pub trait MemberRows: Send {
    /// Moves what is not gone of one pool into another, both locked; leases and holds stay as they are.
    async fn move_appliances(&mut self, from: PoolId, to: PoolId) -> Result<()>;

    /// Lets appliances belong to no pool: they are warm from now on, each for its user group, if it is for one. What their owner wrote on them goes.
    async fn free_appliances(&mut self, freed: &[(ApplianceId, Option<UserGroupId>)]) -> Result<()>;

    /// Sets an appliance's description.
    async fn describe_appliance(&mut self, id: ApplianceId, description: &str) -> Result<()>;

    /// Sets a pool's description.
    async fn describe_pool(&mut self, id: PoolId, description: &str) -> Result<()>;

    /// Gives a pool to another owner.
    async fn transfer_pool(&mut self, id: PoolId, owner: UserId) -> Result<()>;

    /// Sets how many appliances a pool wants.
    async fn set_pool_count(&mut self, id: PoolId, count: u32) -> Result<()>;
}
