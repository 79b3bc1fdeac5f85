//! Machines that refreshes found, and rules about them. Thousands are written in as many statements as one.

mod appliance;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Kept, MachineFilter, MachinePage, MachineRows, NewRule};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, Result, Timestamp,
    machine::{
        Known, Listed, Machine,
        leftover::{Pattern, Rule},
        observe::Observed,
    },
};

use crate::{
    convert::{Named as _, count, limit, microseconds, variant},
    entities::{cleanup_rule, machine::Model},
    task::Column,
    tx::{Clauses, SeaTx},
};

/// Machines that may have to go, in words that the partial index has too.
const LEFTOVER: &str = "m.kind in ('untracked', 'leaked', 'lost', 'stray')";

impl TryFrom<Model> for Machine {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            provider: ProviderKey(row.provider),
            name: row.name,
            power: variant(&row.power)?,
            kind: variant(&row.kind)?,
            appliance_id: row.appliance_id.map(ApplianceId),
            sightings: count(row.sightings)?,
            first_seen_at: row.first_seen_at,
            since: row.since,
            approved: row.approved,
            problem: row.problem,
        })
    }
}

impl TryFrom<cleanup_rule::Model> for Rule {
    type Error = Error;

    fn try_from(row: cleanup_rule::Model) -> Result<Self> {
        let wrong = |error| Error::internal(format!("clean-up rule {} has an impossible pattern: {error:?}", row.id));
        Ok(Self {
            id: row.id,
            pattern: Pattern::new(&row.name_pattern).map_err(wrong)?,
            min_age: Duration::from_micros(row.min_age_us.unsigned_abs()),
            provider: row.provider.map(ProviderKey),
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

fn machines(rows: Vec<Model>) -> Result<Vec<Machine>> {
    rows.into_iter().map(Machine::try_from).collect()
}

impl SeaTx {
    fn machine_row(&self, machine: &Machine) -> Vec<Value> {
        vec![
            machine.provider.0.as_str().into(),
            machine.name.as_str().into(),
            machine.power.name().into(),
            machine.kind.name().into(),
            machine.appliance_id.map(|id| id.0).into(),
            i64::from(machine.sightings).into(),
            self.time(machine.first_seen_at),
            self.time(machine.since),
            machine.approved.into(),
            machine.problem.as_str().into(),
        ]
    }
}

#[async_trait]
impl MachineRows for SeaTx {
    async fn kept(&mut self, provider: &ProviderKey, only: Option<&[ApplianceId]>) -> Result<Vec<Kept>> {
        self.kept_appliances(provider, only).await
    }

    async fn known(&mut self, provider: &ProviderKey, ids: &[ApplianceId]) -> Result<Vec<Known>> {
        self.known_appliances(provider, ids).await
    }

    async fn machine(&mut self, provider: &ProviderKey, name: &str) -> Result<Option<Machine>> {
        let sql = "select * from machines where provider = $1 and name = $2";
        let row: Option<Model> = self.row(sql, [provider.0.as_str().into(), name.into()]).await?;
        row.map(Machine::try_from).transpose()
    }

    async fn called(&mut self, provider: &ProviderKey, names: &[String]) -> Result<BTreeMap<String, ApplianceId>> {
        #[derive(FromQueryResult)]
        struct Row {
            name: String,
            id: i64,
        }
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let of = |column: &str| {
            format!(
                "select {column} as name, id from appliances
                 where provider = $1 and state <> 'gone' and {column} is not null and {column} {}",
                self.among(2)
            )
        };
        let sql = format!("{} union all {}", of("name"), of("new_name"));
        let names = self.texts(names.iter().map(String::as_str));
        let rows: Vec<Row> = self.rows(&sql, [provider.0.as_str().into(), names]).await?;
        Ok(rows.into_iter().map(|row| (row.name, ApplianceId(row.id))).collect())
    }

    async fn machines_on(&mut self, provider: &ProviderKey) -> Result<Vec<Machine>> {
        machines(self.rows("select * from machines where provider = $1", [provider.0.as_str().into()]).await?)
    }

    async fn put_machines(&mut self, provider: &ProviderKey, changed: &[Machine], absent: &[String]) -> Result<()> {
        if !absent.is_empty() {
            let sql = format!("delete from machines where provider = $1 and name {}", self.among(2));
            self.run(&sql, [provider.0.as_str().into(), self.texts(absent.iter().map(String::as_str))]).await?;
        }
        let target =
            "machines (provider, name, power, kind, appliance_id, sightings, first_seen_at, since, approved, problem)";
        let rest = "on conflict (provider, name) do update set
                        power = excluded.power, kind = excluded.kind, appliance_id = excluded.appliance_id,
                        sightings = excluded.sightings, first_seen_at = excluded.first_seen_at, since = excluded.since,
                        approved = excluded.approved, problem = excluded.problem";
        self.insert(target, changed.iter().map(|machine| self.machine_row(machine)).collect(), rest).await?;
        Ok(())
    }

    async fn refreshed(&mut self) -> Result<BTreeMap<ProviderKey, Option<Timestamp>>> {
        #[derive(FromQueryResult)]
        struct Row {
            key: String,
            refreshed_at: Option<Timestamp>,
        }
        let rows: Vec<Row> = self.rows("select key, refreshed_at from providers", []).await?;
        Ok(rows.into_iter().map(|row| (ProviderKey(row.key), row.refreshed_at)).collect())
    }

    async fn set_refreshed(&mut self, provider: &ProviderKey, began: Timestamp) -> Result<()> {
        let sql = "update providers set refreshed_at = $2 where key = $1";
        self.run(sql, [provider.0.as_str().into(), self.time(began)]).await?;
        Ok(())
    }

    async fn set_missing(&mut self, ids: &[ApplianceId], since: Option<Timestamp>) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let since = self.optional_time(since);
        let sql = format!("update appliances set missing_since = $1 where id {}", self.among(2));
        self.run(&sql, [since, self.numbers(ids.iter().map(|id| id.0))]).await?;
        Ok(())
    }

    async fn set_observed(&mut self, seen: &[(ApplianceId, Observed, Option<String>)]) -> Result<()> {
        self.observe(seen).await
    }

    async fn rebuild(
        &mut self,
        provider: &ProviderKey,
        lost: &[Listed],
        held_until: Timestamp,
        reason: &str,
    ) -> Result<Vec<ApplianceId>> {
        self.rebuild_appliances(provider, lost, held_until, reason).await
    }

    async fn leftovers(&mut self, provider: Option<&ProviderKey>) -> Result<Vec<Machine>> {
        let mut conditions = Clauses::default();
        conditions.plain(LEFTOVER);
        conditions.plain(
            "case when m.kind = 'leaked' then exists (select 1 from appliances a where a.id = m.appliance_id and a.state = 'gone')
                  else not exists (select 1 from appliances a where a.name = m.name and a.provider = m.provider and a.state <> 'gone')
                       and not exists (select 1 from appliances a where a.new_name = m.name and a.provider = m.provider
                                       and a.new_name is not null and a.state <> 'gone') end",
        );
        if let Some(provider) = provider {
            conditions.add("m.provider = ?", provider.0.as_str());
        }
        let sql = format!("select m.* from machines m where {} order by m.provider, m.name", conditions.conditions());
        machines(self.rows(&sql, conditions.values).await?)
    }

    async fn marked(&mut self) -> Result<BTreeMap<ProviderKey, usize>> {
        #[derive(FromQueryResult)]
        struct Row {
            provider: String,
            number: i64,
        }
        let sql = "select provider, count(*) as number from machines where appliance_id is not null group by provider";
        let rows: Vec<Row> = self.rows(sql, []).await?;
        let number = |row: &Row| usize::try_from(row.number).unwrap_or_default();
        Ok(rows.into_iter().map(|row| (ProviderKey(row.provider.clone()), number(&row))).collect())
    }

    async fn approve_leaks(&mut self, provider: &ProviderKey) -> Result<()> {
        let yes = if self.on_postgres() { "true" } else { "1" };
        let sql = format!("update machines set approved = {yes} where provider = $1 and kind = 'leaked'");
        self.run(&sql, [provider.0.as_str().into()]).await?;
        Ok(())
    }

    async fn set_problems(&mut self, provider: &ProviderKey, problems: &[(String, String)]) -> Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        let columns = vec![
            ("which", Column::Texts(problems.iter().map(|(name, _)| name.clone()).collect())),
            ("why", Column::Texts(problems.iter().map(|(_, why)| why.clone()).collect())),
        ];
        let (table, values) = self.table(2, columns);
        let sql =
            format!("update machines set problem = why from ({table}) as given where provider = $1 and name = which");
        let values: Vec<_> = std::iter::once(provider.0.as_str().into()).chain(values).collect();
        self.run(&sql, values).await?;
        Ok(())
    }

    async fn machines(&mut self, filter: &MachineFilter, page: &MachinePage) -> Result<Vec<Machine>> {
        let mut conditions = Clauses::default();
        conditions.add("provider = ?", filter.provider.0.as_str());
        if !filter.kinds.is_empty() {
            let kinds = self.texts(filter.kinds.iter().map(|kind| kind.name()));
            conditions.among(self, "kind", kinds);
        }
        if let Some(after) = &page.after {
            conditions.add("name > ?", after.as_str());
        }
        let most = conditions.parameter(limit(page.limit));
        let sql = format!("select * from machines where {} order by name limit {most}", conditions.conditions());
        machines(self.rows(&sql, conditions.values).await?)
    }

    async fn rules(&mut self) -> Result<Vec<Rule>> {
        let rows: Vec<cleanup_rule::Model> = self.rows("select * from cleanup_rules order by id", []).await?;
        rows.into_iter().map(Rule::try_from).collect()
    }

    async fn insert_rule(&mut self, rule: &NewRule) -> Result<Rule> {
        let row = vec![
            rule.pattern.as_str().into(),
            microseconds(rule.min_age).into(),
            rule.provider.as_ref().map(|provider| provider.0.clone()).into(),
            rule.created_by.as_str().into(),
            self.time(self.now),
        ];
        let target = "cleanup_rules (name_pattern, min_age_us, provider, created_by, created_at)";
        let mut inserted: Vec<cleanup_rule::Model> = self.insert_returning(target, vec![row], "returning *").await?;
        inserted.pop().ok_or_else(|| Error::internal("a rule was not inserted"))?.try_into()
    }

    async fn delete_rule(&mut self, id: i64) -> Result<bool> {
        Ok(self.run("delete from cleanup_rules where id = $1", [id.into()]).await? > 0)
    }
}
