//! Appliances and pools, as they change hands.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sprout_app::ports::MemberRows;
use sprout_domain::{ApplianceId, PoolId, Result, UserGroupId, UserId};

use crate::tx::{Clauses, SeaTx};

#[async_trait]
impl MemberRows for SeaTx {
    async fn move_appliances(&mut self, from: PoolId, to: PoolId) -> Result<()> {
        let sql = "update appliances set pool_id = $2, changed_at = $3 where pool_id = $1 and state <> 'gone'";
        self.run(sql, [from.0.into(), to.0.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn free_appliances(&mut self, freed: &[(ApplianceId, Option<UserGroupId>)]) -> Result<()> {
        if freed.is_empty() {
            return Ok(());
        }
        // User groups are few.
        let mut of_groups: BTreeMap<UserGroupId, Vec<i64>> = BTreeMap::new();
        for (id, group) in freed {
            if let Some(group) = group {
                of_groups.entry(*group).or_default().push(id.0);
            }
        }
        let mut set = Clauses::default();
        let mut cases = String::new();
        for (group, ids) in of_groups {
            let those = set.parameter_of(self.numbers(ids));
            let group = set.parameter(group.0);
            cases.extend([format!(" when id {} then {group}", self.among(those))]);
        }
        let group = if cases.is_empty() { "null".to_owned() } else { format!("case{cases} end") };
        set.plain(format!("user_group_id = {group}, pool_id = null, description = ''"));
        set.add("changed_at = ?", self.time(self.now));
        self.update("appliances", set, freed.iter().map(|(id, _)| id.0)).await
    }

    async fn describe_appliance(&mut self, id: ApplianceId, description: &str) -> Result<()> {
        let sql = "update appliances set description = $2, changed_at = $3 where id = $1";
        self.run(sql, [id.0.into(), description.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn describe_pool(&mut self, id: PoolId, description: &str) -> Result<()> {
        self.run("update pools set description = $2 where id = $1", [id.0.into(), description.into()]).await?;
        Ok(())
    }

    async fn transfer_pool(&mut self, id: PoolId, owner: UserId) -> Result<()> {
        self.run("update pools set owner_id = $2 where id = $1", [id.0.into(), owner.0.into()]).await?;
        Ok(())
    }

    async fn set_pool_count(&mut self, id: PoolId, count: u32) -> Result<()> {
        self.run("update pools set count = $2 where id = $1", [id.0.into(), i64::from(count).into()]).await?;
        Ok(())
    }
}
