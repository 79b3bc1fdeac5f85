//! Providers: what the configuration says, what the last check found, and how much is on them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::ProviderRows;
use sprout_domain::{
    ProviderKey, Result,
    provider::{Provider, ProviderLoad, ProviderSpec, Totals},
    room::Room,
};

use crate::{
    convert::{count, optional_count},
    entities::provider::Model,
    operate::capabilities,
    room::{TAKEN, capacity},
    trial::circuit,
    tx::SeaTx,
};

/// An amount as a column has it; more than fits is as much as fits.
fn amount(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A provider with counts of what is on it.
struct Loaded {
    provider: Model,
    provisioning: i64,
    there: i64,
    memory_mib: i64,
    cpus: i64,
    templates: i64,
}

impl FromQueryResult for Loaded {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            provider: Model::from_query_result(row, prefix)?,
            provisioning: row.try_get(prefix, "provisioning")?,
            there: row.try_get(prefix, "there")?,
            memory_mib: row.try_get(prefix, "taken_memory_mib")?,
            cpus: row.try_get(prefix, "taken_cpus")?,
            templates: row.try_get(prefix, "templates")?,
        })
    }
}

impl SeaTx {
    async fn loaded(&self) -> Result<Vec<Loaded>> {
        let sql = format!(
            "select p.*, coalesce(a.provisioning, 0) as provisioning, coalesce(r.appliances, 0) as there,
                    coalesce(r.memory_mib, 0) as taken_memory_mib, coalesce(r.cpus, 0) as taken_cpus, coalesce(t.ready, 0) as templates
             from providers p
             left join (select provider, count(*) as provisioning from appliances
                        where state in ('cloning', 'starting', 'preparing') and not (state = 'preparing' and prepares is not null)
                        group by provider) a on a.provider = p.key
             left join ({TAKEN} group by provider) r on r.provider = p.key
             left join (select provider, count(*) as ready from templates where state = 'ready' and not obsolete and unusable = '' group by provider) t
                    on t.provider = p.key
             order by p.key"
        );
        self.rows(&sql, []).await
    }
}

#[async_trait]
impl ProviderRows for SeaTx {
    async fn sync_providers(&mut self, specs: &[ProviderSpec]) -> Result<()> {
        let by_key: BTreeMap<&ProviderKey, &ProviderSpec> = specs.iter().map(|spec| (&spec.key, spec)).collect();
        let row = |spec: &ProviderSpec| -> Vec<Value> {
            vec![
                spec.key.0.as_str().into(),
                spec.name.as_str().into(),
                spec.settings.driver().into(),
                false.into(),
                spec.disabled.into(),
                "not checked yet".into(),
                i64::from(spec.provisioning_limit).into(),
                spec.appliance_limit.map(i64::from).into(),
                spec.memory_limit_mib.map(amount).into(),
                spec.cpu_limit.map(amount).into(),
                amount(spec.settings.usual().memory_mib).into(),
                amount(spec.settings.usual().cpus).into(),
                i64::from(spec.configuring_limit).into(),
            ]
        };
        let rest = "on conflict (key) do update set
                        name = excluded.name, driver = excluded.driver, disabled = excluded.disabled,
                        provisioning_limit = excluded.provisioning_limit, appliance_limit = excluded.appliance_limit,
                        memory_limit_mib = excluded.memory_limit_mib, cpu_limit = excluded.cpu_limit,
                        appliance_memory_mib = excluded.appliance_memory_mib, appliance_cpus = excluded.appliance_cpus,
                        configuring_limit = excluded.configuring_limit";
        let target = "providers (key, name, driver, working, disabled, status, provisioning_limit, appliance_limit, memory_limit_mib, cpu_limit,
                                 appliance_memory_mib, appliance_cpus, configuring_limit)";
        self.insert(target, by_key.values().map(|spec| row(spec)).collect(), rest).await?;
        let sql = format!("update providers set disabled = true where not disabled and not (key {})", self.among(1));
        self.run(&sql, [self.texts(by_key.keys().map(|key| &*key.0))]).await?;
        Ok(())
    }

    async fn providers(&mut self) -> Result<Vec<Provider>> {
        let rows = self.loaded().await?;
        rows.into_iter()
            .map(|Loaded { provider, provisioning, there, memory_mib, cpus, templates }| {
                let circuit = circuit(&provider)?;
                Ok(Provider {
                    key: ProviderKey(provider.key),
                    name: provider.name,
                    driver: provider.driver,
                    working: provider.working,
                    disabled: provider.disabled,
                    status: provider.status,
                    checked_at: provider.checked_at,
                    provisioning_limit: count(provider.provisioning_limit)?,
                    appliance_limit: optional_count(provider.appliance_limit)?,
                    switched_off: provider.switched_off,
                    hidden: provider.hidden,
                    circuit,
                    memory: capacity(provider.memory_total_mib, memory_mib, provider.memory_limit_mib),
                    cpus: capacity(provider.cpu_total, cpus, provider.cpu_limit),
                    load: ProviderLoad {
                        provisioning_count: count(provisioning)?,
                        appliance_count: count(there)?,
                        template_count: count(templates)?,
                    },
                    capabilities: capabilities(&provider.capabilities)?,
                    user_groups: Vec::new(),
                })
            })
            .collect()
    }

    async fn room(&mut self, keys: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Room>> {
        self.rooms(keys).await
    }

    async fn set_checked(&mut self, key: &ProviderKey, working: bool, status: &str) -> Result<()> {
        let sql = "update providers set working = $2, status = $3, checked_at = $4 where key = $1";
        self.run(sql, [key.0.as_str().into(), working.into(), status.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn set_totals(&mut self, key: &ProviderKey, totals: &Totals) -> Result<()> {
        let sql = "update providers set memory_total_mib = coalesce($2, memory_total_mib), cpu_total = coalesce($3, cpu_total)
                   where key = $1";
        let values = [key.0.as_str().into(), totals.memory_mib.map(amount).into(), totals.cpus.map(amount).into()];
        self.run(sql, values).await?;
        Ok(())
    }
}
