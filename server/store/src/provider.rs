//! Providers: what the configuration says, what the last check found, and how much is on them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::ProviderRows;
use sprout_domain::{
    ProviderKey, Result,
    placement::Room,
    provider::{Capacity, Circuit, Provider, ProviderLoad, ProviderSpec},
};

use crate::{
    convert::{count, optional_count, variant},
    entities::provider::Model,
    tx::SeaTx,
};

/// A provider with counts of what is on it.
struct Loaded {
    provider: Model,
    provisioning: i64,
    there: i64,
    templates: i64,
}

impl FromQueryResult for Loaded {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            provider: Model::from_query_result(row, prefix)?,
            provisioning: row.try_get(prefix, "provisioning")?,
            there: row.try_get(prefix, "there")?,
            templates: row.try_get(prefix, "templates")?,
        })
    }
}

impl SeaTx {
    async fn loaded(&self) -> Result<Vec<Loaded>> {
        let sql = "select p.*, coalesce(a.provisioning, 0) as provisioning,
                    coalesce(a.there, 0) as there, coalesce(t.ready, 0) as templates
             from providers p
             left join (select provider, count(*) as there,
                               count(*) filter (where state in ('cloning', 'starting', 'preparing')) as provisioning
                        from appliances where state <> 'gone' group by provider) a on a.provider = p.key
             left join (select provider, count(*) as ready from templates where state = 'ready' group by provider) t
                    on t.provider = p.key
             order by p.key";
        self.rows(sql, []).await
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
            ]
        };
        let rest = "on conflict (key) do update set
                        name = excluded.name, driver = excluded.driver, disabled = excluded.disabled,
                        provisioning_limit = excluded.provisioning_limit, appliance_limit = excluded.appliance_limit";
        let target = "providers (key, name, driver, working, disabled, status, provisioning_limit, appliance_limit)";
        self.insert(target, by_key.values().map(|spec| row(spec)).collect(), rest).await?;
        let sql = format!("update providers set disabled = true where not disabled and not (key {})", self.among(1));
        self.run(&sql, [self.texts(by_key.keys().map(|key| &*key.0))]).await?;
        Ok(())
    }

    async fn providers(&mut self) -> Result<Vec<Provider>> {
        let rows = self.loaded().await?;
        rows.into_iter()
            .map(|Loaded { provider, provisioning, there, templates }| {
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
                    circuit: Circuit {
                        state: variant(&provider.circuit)?,
                        failures: count(provider.circuit_failures)?,
                        openings: count(provider.circuit_openings)?,
                        reason: provider.circuit_reason,
                        next_try_at: provider.circuit_next_try_at,
                    },
                    memory: Capacity {
                        total: provider.memory_total_mib.map(i64::unsigned_abs),
                        used: 0,
                        limit: provider.memory_limit_mib.map(i64::unsigned_abs),
                    },
                    cpus: Capacity {
                        total: provider.cpu_total.map(i64::unsigned_abs),
                        used: 0,
                        limit: provider.cpu_limit.map(i64::unsigned_abs),
                    },
                    load: ProviderLoad {
                        provisioning_count: count(provisioning)?,
                        appliance_count: count(there)?,
                        template_count: count(templates)?,
                    },
                })
            })
            .collect()
    }

    async fn room(&mut self, keys: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Room>> {
        #[derive(FromQueryResult)]
        struct Row {
            key: String,
            provisioning_limit: i64,
            provisioning: i64,
            appliance_limit: Option<i64>,
            there: i64,
        }
        // What is there is counted only where there is a limit to it.
        let sql = format!(
            "select p.key, p.provisioning_limit, p.appliance_limit,
                    (select count(*) from appliances a where a.provider = p.key and a.state = 'requested')
                        + (select count(*) from appliances a where a.provider = p.key
                               and a.state in ('cloning', 'starting', 'preparing')) as provisioning,
                    case when p.appliance_limit is null then 0
                         else (select count(*) from appliances a where a.provider = p.key and a.state <> 'gone') end as there
             from providers p where p.key {}",
            self.among(1)
        );
        let rows: Vec<Row> = self.rows(&sql, [self.texts(keys.iter().map(|key| &*key.0))]).await?;
        rows.into_iter()
            .map(|row| {
                let room = Room {
                    provisioning_limit: count(row.provisioning_limit)?,
                    provisioning_count: count(row.provisioning)?,
                    appliance_limit: optional_count(row.appliance_limit)?,
                    appliance_count: count(row.there)?,
                };
                Ok((ProviderKey(row.key), room))
            })
            .collect()
    }

    async fn set_checked(&mut self, key: &ProviderKey, working: bool, status: &str) -> Result<()> {
        let sql = "update providers set working = $2, status = $3, checked_at = $4 where key = $1";
        self.run(sql, [key.0.as_str().into(), working.into(), status.into(), self.time(self.now)]).await?;
        Ok(())
    }
}
