//! Room on providers: what appliances take there, summed up from its changes.

use std::collections::BTreeMap;

use sea_orm::{FromQueryResult, Value};
use sprout_domain::{
    ProviderKey, Result,
    provider::Capacity,
    room::{Need, Room},
};

use crate::{
    convert::{count, optional_count, variant},
    entities::{provider::Model as Provider, room_change::Model as Change},
    tx::SeaTx,
};

/// So many changes of one provider are left as they are: to sum them up costs less than to replace them by their sum.
const FEW_CHANGES: i64 = 256;

/// What appliances take of each provider, gone ones nothing. `begun_…`: without those that are merely requested.
pub(crate) const TAKEN: &str = "select provider, count(*) as changes,
        cast(sum(appliances) as bigint) as appliances, cast(sum(memory_mib) as bigint) as memory_mib, cast(sum(cpus) as bigint) as cpus,
        cast(sum(case when begun then appliances else 0 end) as bigint) as begun_appliances,
        cast(sum(case when begun then memory_mib else 0 end) as bigint) as begun_memory_mib,
        cast(sum(case when begun then cpus else 0 end) as bigint) as begun_cpus
 from room_changes";

/// A provider with what is taken of it.
struct Taken {
    provider: Provider,
    provisioning: i64,
    appliances: i64,
    requested: i64,
    memory_mib: i64,
    cpus: i64,
}

impl FromQueryResult for Taken {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self {
            provider: Provider::from_query_result(row, prefix)?,
            provisioning: row.try_get(prefix, "provisioning")?,
            appliances: row.try_get(prefix, "taken_appliances")?,
            requested: row.try_get(prefix, "requested")?,
            memory_mib: row.try_get(prefix, "taken_memory_mib")?,
            cpus: row.try_get(prefix, "taken_cpus")?,
        })
    }
}

/// How much there is of something, as columns have it.
pub(crate) fn capacity(total: Option<i64>, used: i64, limit: Option<i64>) -> Capacity {
    let amount = |number: i64| u64::try_from(number).unwrap_or(0);
    Capacity { total: total.map(amount), used: amount(used), limit: limit.map(amount) }
}

impl TryFrom<Taken> for Room {
    type Error = sprout_domain::Error;

    fn try_from(taken: Taken) -> Result<Self> {
        let Taken { provider, provisioning, appliances, requested, memory_mib, cpus } = taken;
        Ok(Self {
            disabled: provider.disabled || provider.switched_off || provider.hidden,
            working: provider.working,
            circuit: variant(&provider.circuit)?,
            next_try_at: provider.circuit_next_try_at,
            provisioning_limit: count(provider.provisioning_limit)?,
            provisioning_count: count(provisioning + requested)?,
            appliance_limit: optional_count(provider.appliance_limit)?,
            appliance_count: count(appliances)?,
            memory: capacity(provider.memory_total_mib, memory_mib, provider.memory_limit_mib),
            cpus: capacity(provider.cpu_total, cpus, provider.cpu_limit),
            usual: Need {
                memory_mib: provider.appliance_memory_mib.unsigned_abs(),
                cpus: provider.appliance_cpus.unsigned_abs(),
            },
        })
    }
}

impl SeaTx {
    /// See [`sprout_app::ports::ProviderRows::room`].
    pub(crate) async fn rooms(&self, keys: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Room>> {
        // What is being provisioned is little, and an index has nothing else.
        let sql = format!(
            "select p.*,
                    (select count(*) from appliances a where a.provider = p.key
                         and a.state in ('cloning', 'starting', 'preparing')
                         and not (a.state = 'preparing' and a.prepares is not null)) as provisioning,
                    coalesce(t.appliances, 0) as taken_appliances, coalesce(t.appliances - t.begun_appliances, 0) as requested,
                    coalesce(t.memory_mib, 0) as taken_memory_mib, coalesce(t.cpus, 0) as taken_cpus
             from providers p left join ({TAKEN} where provider {among} group by provider) t on t.provider = p.key
             where p.key {among}",
            among = self.among(1)
        );
        let rows: Vec<Taken> = self.rows(&sql, [self.texts(keys.iter().map(|key| &*key.0))]).await?;
        rows.into_iter().map(|row| Ok((ProviderKey(row.provider.key.clone()), row.try_into()?))).collect()
    }

    /// What an appliance takes of each of these providers for which nothing else was asked.
    pub(crate) async fn usual_needs(&self, keys: &[String]) -> Result<BTreeMap<String, Need>> {
        #[derive(FromQueryResult)]
        struct Usual {
            key: String,
            appliance_memory_mib: i64,
            appliance_cpus: i64,
        }
        let sql =
            format!("select key, appliance_memory_mib, appliance_cpus from providers where key {}", self.among(1));
        let rows: Vec<Usual> = self.rows(&sql, [self.texts(keys.iter().map(|key| &**key))]).await?;
        let need = |row: &Usual| Need {
            memory_mib: row.appliance_memory_mib.unsigned_abs(),
            cpus: row.appliance_cpus.unsigned_abs(),
        };
        Ok(rows.into_iter().map(|row| (row.key.clone(), need(&row))).collect())
    }

    /// Replaces the changes of a provider by their sum, if there are many. What another transaction is about to replace is left to that one; what
    /// others add meanwhile is not touched.
    pub(crate) async fn sum_up_room(&self, provider: &str, changes: i64) -> Result<()> {
        if changes <= FEW_CHANGES {
            return Ok(());
        }
        let sql = format!("select * from room_changes where provider = $1{}", self.locked_skipping());
        let replaced: Vec<Change> = self.rows(&sql, [provider.into()]).await?;
        let sql = format!("delete from room_changes where id {}", self.among(1));
        self.run(&sql, [self.numbers(replaced.iter().map(|change| change.id))]).await?;
        let sum = |begun: bool| -> Vec<Value> {
            let of = |amount: fn(&Change) -> i64| -> i64 {
                replaced.iter().filter(|change| change.begun == begun).map(amount).sum()
            };
            let appliances = of(|change| change.appliances);
            vec![
                provider.into(),
                begun.into(),
                appliances.into(),
                of(|change| change.memory_mib).into(),
                of(|change| change.cpus).into(),
            ]
        };
        let target = "room_changes (provider, begun, appliances, memory_mib, cpus)";
        self.insert(target, vec![sum(false), sum(true)], "").await?;
        Ok(())
    }
}
