//! What operations on appliances need and leave: names, disks, what providers can do.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::OperateRows;
use sprout_domain::{ApplianceId, ProviderKey, Result, appliance::Appliance, operation::Capability};

use crate::{
    convert::{Named, variant},
    tx::{Clauses, SeaTx},
};

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct Capabilities {
    capabilities: String,
}

/// Names with spaces between them, as they are stored.
pub(crate) fn capabilities(text: &str) -> Result<BTreeSet<Capability>> {
    text.split_whitespace().map(variant).collect()
}

/// A size as it is stored.
fn size(mib: Option<u64>) -> Option<i64> {
    mib.map(|mib| i64::try_from(mib).unwrap_or(i64::MAX))
}

#[async_trait]
impl OperateRows for SeaTx {
    async fn reserve_name(&mut self, appliance: &Appliance, name: &str) -> Result<bool> {
        #[derive(FromQueryResult)]
        struct Locked {
            #[allow(dead_code, reason = "read to be locked")]
            key: String,
        }
        let provider = appliance.provider.0.as_str();
        if self.on_postgres() {
            // Of two who want one name at the same time, the second sees the first.
            let lock = "select key from providers where key = $1 for no key update";
            let _: Vec<Locked> = self.rows(lock, [provider.into()]).await?;
        }
        let sql = "update appliances set new_name = $1 where id = $2
                   and not exists (select 1 from appliances o where o.name = $1 and o.provider = $3 and o.state <> 'gone' and o.id <> $2)
                   and not exists (select 1 from appliances o where o.new_name = $1 and o.provider = $3 and o.state <> 'gone' and o.id <> $2)
                   returning id";
        let reserved: Option<IdRow> = self.row(sql, [name.into(), appliance.id.0.into(), provider.into()]).await?;
        Ok(reserved.is_some())
    }

    async fn set_operated(&mut self, appliance: &Appliance) -> Result<()> {
        let mut set = Clauses::default();
        let now = self.time(self.now);
        set.add("name = ?", appliance.name.as_str());
        set.add("new_name = ?", appliance.new_name.clone());
        set.add("state = ?", appliance.state.name());
        set.add("power = ?", appliance.power.name());
        set.add("address = ?", appliance.address.clone());
        set.add("provider_ref = ?", appliance.provider_ref.clone());
        set.add("clone_unconfirmed = ?", appliance.clone_unconfirmed);
        set.add("disk_mib = ?", size(appliance.disk_mib));
        set.add("wanted_disk_mib = ?", size(appliance.wanted_disk_mib));
        set.add("console_url = ?", appliance.console_url.clone());
        // An operation knows better than what was seen before it.
        set.plain("missing_since = null");
        for (column, at) in [("ready_at", appliance.ready_at), ("proven_at", appliance.proven_at)] {
            match at {
                Some(at) => set.add(&format!("{column} = ?"), self.time(at)),
                None => set.plain(format!("{column} = null")),
            }
        }
        set.add("status = ?", appliance.status.as_str());
        set.add("status_changed_at = ?", now.clone());
        set.add("changed_at = ?", now.clone());
        if appliance.state == sprout_domain::appliance::ApplianceState::Failed {
            set.add("failed_at = ?", now);
        }
        self.update("appliances", set, [appliance.id.0]).await?;
        self.replace_endpoints(&[appliance.id], &appliance.endpoints).await
    }

    async fn busy_appliances(&mut self, ids: &[ApplianceId]) -> Result<BTreeSet<ApplianceId>> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let sql =
            format!("select appliance_id as id from tasks where state = 'running' and appliance_id {}", self.among(1));
        let rows: Vec<IdRow> = self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn capabilities(&mut self, provider: &ProviderKey) -> Result<BTreeSet<Capability>> {
        let sql = "select capabilities from providers where key = $1";
        let row: Option<Capabilities> = self.row(sql, [provider.0.as_str().into()]).await?;
        row.map_or_else(|| Ok(BTreeSet::new()), |row| capabilities(&row.capabilities))
    }

    async fn set_capabilities(&mut self, provider: &ProviderKey, can: &BTreeSet<Capability>) -> Result<()> {
        let names: Vec<_> = can.iter().map(|capability| capability.name()).collect();
        let sql = "update providers set capabilities = $2 where key = $1 and capabilities <> $2";
        self.run(sql, [provider.0.as_str().into(), names.join(" ").into()]).await?;
        Ok(())
    }
}
