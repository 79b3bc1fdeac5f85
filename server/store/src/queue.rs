//! Pools that wait. What waits is told by a partial index, so nothing here depends on how many pools or appliances there are.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use sprout_app::ports::{Kind, QueueRows, Spare, Unfinished, WaitingPool};
use sprout_domain::{
    ApplianceId, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserId, pool::Pool, template::Template,
};

use crate::{
    convert::{count, limit},
    entities::template,
    grant::GRANTABLE,
    pool::Row as PoolRow,
    task::Column,
    tx::SeaTx,
};

/// Those who wait, in words that the partial index has too.
const WAITING: &str = "waiting_count > 0 and state in ('waiting', 'provisioning')";
/// Those who are not fulfilled, likewise.
const UNFULFILLED: &str = "state in ('waiting', 'provisioning')";

/// A pool with the share of its owner.
struct Weighed {
    pool: PoolRow,
    weight: i64,
}

impl FromQueryResult for Weighed {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { pool: PoolRow::from_query_result(row, prefix)?, weight: row.try_get(prefix, "weight")? })
    }
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct Counted {
    id: i64,
    number: i64,
}

#[derive(FromQueryResult)]
struct CountedAt {
    provider: String,
    number: i64,
}

#[derive(FromQueryResult)]
struct When {
    at: Timestamp,
}

#[async_trait]
impl QueueRows for SeaTx {
    async fn try_turn(&mut self, name: &str) -> Result<bool> {
        #[derive(FromQueryResult)]
        struct Taken {
            taken: bool,
        }
        if !self.on_postgres() {
            return Ok(true);
        }
        let sql = "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as taken";
        Ok(self.row::<Taken>(sql, [name.into()]).await?.is_some_and(|row| row.taken))
    }

    async fn somebody_waits(&mut self) -> Result<bool> {
        let sql = format!("select id from pools where {WAITING} limit 1");
        Ok(self.row::<IdRow>(&sql, []).await?.is_some())
    }

    async fn somebody_waits_for(&mut self, providers: &[ProviderKey]) -> Result<bool> {
        let sql = format!(
            "select t.id from (select distinct group_name, version, build_date, provider from pools where {WAITING}) w
             join templates t on t.group_name = w.group_name and t.version = w.version and t.build_date = w.build_date
             where t.state = 'ready' and t.unusable = '' and t.provider {} and (w.provider is null or w.provider = t.provider) limit 1",
            self.among(1)
        );
        let keys = self.texts(providers.iter().map(|key| &*key.0));
        Ok(self.row::<IdRow>(&sql, [keys]).await?.is_some())
    }

    async fn waiting_pools(&mut self) -> Result<Vec<WaitingPool>> {
        let sql = format!(
            "select p.*, u.name as owner, u.weight from pools p join users u on u.id = p.owner_id
             where p.waiting_count > 0 and p.{UNFULFILLED} order by p.id"
        );
        let rows: Vec<Weighed> = self.rows(&sql, []).await?;
        let waiting = |row: Weighed| Ok(WaitingPool { pool: Pool::try_from(row.pool)?, weight: count(row.weight)? });
        rows.into_iter().map(waiting).collect()
    }

    async fn under_way(&mut self) -> Result<BTreeMap<UserId, u32>> {
        // Two parts, each with an index of its own.
        let sql = "select p.owner_id as id, count(*) as number from (
                       select pool_id from appliances where state = 'requested' and pool_id is not null
                       union all
                       select pool_id from appliances where state in ('cloning', 'starting', 'preparing') and pool_id is not null
                   ) a join pools p on p.id = a.pool_id group by p.owner_id";
        let rows: Vec<Counted> = self.rows(sql, []).await?;
        rows.into_iter().map(|row| Ok((UserId(row.id), count(row.number)?))).collect()
    }

    async fn templates_of(&mut self, kinds: &[Kind]) -> Result<Vec<Template>> {
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        let text = |of: &dyn Fn(&Kind) -> String| Column::Texts(kinds.iter().map(of).collect());
        let (wanted, values) = self.table(
            1,
            vec![
                ("wanted_group", text(&|kind| kind.0.0.clone())),
                ("wanted_version", text(&|kind| kind.1.as_str().to_owned())),
                ("wanted_date", text(&|kind| kind.2.to_string())),
            ],
        );
        let date = if self.on_postgres() { "wanted_date::date" } else { "wanted_date" };
        let sql = format!(
            "select t.* from ({wanted}) as wanted join templates t
                on t.group_name = wanted_group and t.version = wanted_version and t.build_date = {date}
             where t.state = 'ready' and t.unusable = '' order by t.id"
        );
        let rows: Vec<template::Model> = self.rows(&sql, values).await?;
        rows.into_iter().map(Template::try_from).collect()
    }

    async fn grantable(&mut self, templates: &[TemplateId]) -> Result<BTreeMap<TemplateId, u32>> {
        let sql = format!(
            "select template_id as id, count(*) as number from appliances where {GRANTABLE} and template_id {} group by template_id",
            self.among(1)
        );
        let rows: Vec<Counted> = self.rows(&sql, [self.numbers(templates.iter().map(|id| id.0))]).await?;
        rows.into_iter().map(|row| Ok((TemplateId(row.id), count(row.number)?))).collect()
    }

    async fn add_waiting(&mut self, changes: &[(PoolId, i64)]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let (given, values) = self.table(
            1,
            vec![
                ("pool", Column::Numbers(changes.iter().map(|(pool, _)| pool.0).collect())),
                ("added", Column::Numbers(changes.iter().map(|(_, added)| *added).collect())),
            ],
        );
        let sql =
            format!("update pools set waiting_count = waiting_count + added from ({given}) as given where id = pool");
        self.run(&sql, values).await?;
        Ok(())
    }

    async fn avoid(&mut self, pool: PoolId, provider: &ProviderKey) -> Result<()> {
        let sql = "update pools set avoided_provider = $2 where id = $1";
        self.run(sql, [pool.0.into(), provider.0.as_str().into()]).await?;
        Ok(())
    }

    async fn keep_until(&mut self, pool: PoolId, until: Timestamp) -> Result<()> {
        self.run("update pools set alive_until = $2 where id = $1", [pool.0.into(), self.time(until)]).await?;
        Ok(())
    }

    async fn overdue_pools(&mut self, rows: u64) -> Result<Vec<PoolId>> {
        let sql = format!(
            "select id from (
                 select id from pools where wait_until is not null and {UNFULFILLED} and wait_until <= $1
                 union
                 select id from pools where alive_until is not null and {UNFULFILLED} and alive_until <= $1
             ) overdue order by id limit $2"
        );
        let rows: Vec<IdRow> = self.rows(&sql, [self.time(self.now), limit(rows).into()]).await?;
        Ok(rows.into_iter().map(|row| PoolId(row.id)).collect())
    }

    async fn next_overdue(&mut self) -> Result<Option<Timestamp>> {
        let first = |column: &str| {
            format!(
                "select * from (select {column} as at from pools where {column} is not null and {UNFULFILLED} order by {column} limit 1)"
            )
        };
        let sql = format!(
            "select at from ({} a union all {} b) next order by at limit 1",
            first("wait_until"),
            first("alive_until")
        );
        Ok(self.row::<When>(&sql, []).await?.map(|row| row.at))
    }

    async fn spares(&mut self, providers: &[ProviderKey]) -> Result<(Vec<Spare>, BTreeMap<ProviderKey, u32>)> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
            provider: String,
            template_id: i64,
        }
        let keys = || self.texts(providers.iter().map(|key| &*key.0));
        let sql = format!(
            "select id, provider, template_id from appliances where {GRANTABLE} and template_id in
                 (select id from templates where provider {}) order by ready_at, id",
            self.among(1)
        );
        let rows: Vec<Row> = self.rows(&sql, [keys()]).await?;
        let spare = |row: Row| Spare {
            id: ApplianceId(row.id),
            provider: ProviderKey(row.provider),
            template: TemplateId(row.template_id),
        };
        let sql = format!(
            "select provider, count(*) as number from appliances where state <> 'gone' and state = 'killing' and provider {} group by provider",
            self.among(1)
        );
        let killing: Vec<CountedAt> = self.rows(&sql, [keys()]).await?;
        let killing = killing.into_iter().map(|row| Ok((ProviderKey(row.provider), count(row.number)?)));
        Ok((rows.into_iter().map(spare).collect(), killing.collect::<Result<_>>()?))
    }

    async fn swappable(&mut self, rows: u64) -> Result<Vec<Unfinished>> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
            pool_id: i64,
        }
        let part = |state: &str| {
            format!(
                "select a.id, a.pool_id, a.group_name, a.version, a.build_date, a.unconfigured, a.template_type
                 from appliances a where a.{state} and a.pool_id is not null and a.ready_at is null and a.memory_mib is null and a.cpus is null"
            )
        };
        let sql = format!(
            "select a.id, a.pool_id from ({requested} union all {cloning}) a
             join pools p on p.id = a.pool_id and p.waiting_count = 0 and not p.updated and p.{UNFULFILLED}
             where exists (select 1 from templates t join appliances w on w.template_id = t.id
                           where t.group_name = a.group_name and t.version = a.version and t.build_date = a.build_date
                             and t.unconfigured = a.unconfigured and t.type = a.template_type and t.unusable = ''
                             and w.state = 'ready' and w.pool_id is null and w.memory_mib is null and w.cpus is null)
             order by a.pool_id, a.id limit $1",
            requested = part("state = 'requested'"),
            cloning = part("state in ('cloning', 'starting', 'preparing') and a.state = 'cloning'"),
        );
        let rows: Vec<Row> = self.rows(&sql, [limit(rows).into()]).await?;
        Ok(rows.into_iter().map(|row| Unfinished { id: ApplianceId(row.id), pool: PoolId(row.pool_id) }).collect())
    }

    async fn stranded(&mut self, configured: &[ProviderKey], rows: u64) -> Result<Vec<Unfinished>> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
            pool_id: i64,
        }
        // Of the few providers that are not used, the few appliances that are merely requested.
        let sql = format!(
            "select a.id, a.pool_id from providers p
             join appliances a on a.provider = p.key and a.state = 'requested' and a.pool_id is not null
             join pools o on o.id = a.pool_id and o.{UNFULFILLED} and o.provider is null
             where (p.circuit = 'open' or not (p.key {configured}))
               and exists (select 1 from templates t join providers q on q.key = t.provider
                           where t.group_name = a.group_name and t.version = a.version and t.build_date = a.build_date
                             and t.unconfigured = a.unconfigured and t.type = a.template_type and t.state = 'ready' and t.unusable = ''
                             and q.key <> p.key and q.key {configured} and q.working and q.circuit = 'closed'
                             and not (q.disabled or q.switched_off or q.hidden)
                             and (o.provider_type is null or o.provider_type = q.driver))
             order by a.id limit $2",
            configured = self.among(1)
        );
        let values = [self.texts(configured.iter().map(|key| &*key.0)), limit(rows).into()];
        let rows: Vec<Row> = self.rows(&sql, values).await?;
        Ok(rows.into_iter().map(|row| Unfinished { id: ApplianceId(row.id), pool: PoolId(row.pool_id) }).collect())
    }

    async fn release(&mut self, appliances: &[ApplianceId]) -> Result<()> {
        let ids = || self.numbers(appliances.iter().map(|id| id.0));
        let sql = format!("update appliances set pool_id = null where id {}", self.among(1));
        self.run(&sql, [ids()]).await?;
        let sql = format!(
            "update workflows set owner_id = null where finished_at is null and kind = 'deploy' and appliance_id {}",
            self.among(1)
        );
        self.run(&sql, [ids()]).await?;
        Ok(())
    }

    async fn next_lease_ends(&mut self, providers: &[ProviderKey]) -> Result<BTreeMap<ProviderKey, Timestamp>> {
        #[derive(FromQueryResult)]
        struct Row {
            provider: String,
            at: Timestamp,
        }
        let sql = format!(
            "select provider, min(leased_until) as at from appliances
             where state <> 'gone' and leased_until is not null and held_until is null and provider {} group by provider",
            self.among(1)
        );
        let rows: Vec<Row> = self.rows(&sql, [self.texts(providers.iter().map(|key| &*key.0))]).await?;
        Ok(rows.into_iter().map(|row| (ProviderKey(row.provider), row.at)).collect())
    }
}
