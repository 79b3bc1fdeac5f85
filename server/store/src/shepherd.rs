//! Shepherds, and the warm appliances that they keep.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Asked, Pick, ShepherdFilter, ShepherdRows, StockRow};
use sprout_domain::{
    ApplianceId, Error, GroupName, ProviderKey, Result, TemplateId, Timestamp, UserGroupId, UserId,
    demand::{Demand, Window},
    shepherd::{Flock, Part, Shepherd, Standing, Stock},
    template::{BuildDate, Template},
    version::Version,
};

use crate::{
    convert::{count, limit},
    entities::template,
    tx::{Clauses, SeaTx},
};

/// Pools, or appliances, that are looked at for what was lately.
const LATEST: i64 = 5_000;

/// Nothing warm is handed out there, and nothing new made.
pub(crate) const DISABLED: &str = "(p.disabled or p.switched_off or p.hidden)";

#[derive(FromQueryResult)]
struct ShepherdRow {
    group_name: String,
    user_group_id: Option<i64>,
    user_group: Option<String>,
    preconfigured: i64,
    unconfigured: i64,
    demand: Option<String>,
}

impl TryFrom<ShepherdRow> for Shepherd {
    type Error = Error;

    fn try_from(row: ShepherdRow) -> Result<Self> {
        let flock = match row.user_group_id {
            Some(id) => Flock::UserGroup { id: UserGroupId(id), name: row.user_group.unwrap_or_default() },
            None => Flock::Everyone,
        };
        Ok(Self {
            group: GroupName(row.group_name),
            flock,
            preconfigured: count(row.preconfigured)?,
            unconfigured: count(row.unconfigured)?,
            demand: row.demand.as_deref().map(demand_from_json).transpose()?,
        })
    }
}

/// Demand as it is stored.
fn demand_to_json(demand: &Demand) -> String {
    let window = |window: &Window| {
        serde_json::json!({
            "days": window.days, "from_minute": window.from_minute, "to_minute": window.to_minute, "min": window.min,
        })
    };
    let schedule: Vec<_> = demand.schedule.iter().map(window).collect();
    serde_json::json!({ "min": demand.min, "max": demand.max, "schedule": schedule }).to_string()
}

fn demand_from_json(text: &str) -> Result<Demand> {
    let wrong = || Error::internal(format!("the database has an impossible demand: {text:?}"));
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let number = |value: &serde_json::Value, key: &str| value[key].as_u64().ok_or_else(wrong);
    let whole = |value: &serde_json::Value, key: &str| u32::try_from(number(value, key)?).map_err(|_| wrong());
    let minute = |value: &serde_json::Value, key: &str| u16::try_from(number(value, key)?).map_err(|_| wrong());
    let day = |value: &serde_json::Value| value.as_u64().and_then(|day| u8::try_from(day).ok()).ok_or_else(wrong);
    let window = |value: &serde_json::Value| {
        Ok(Window {
            days: value["days"].as_array().ok_or_else(wrong)?.iter().map(day).collect::<Result<_>>()?,
            from_minute: minute(value, "from_minute")?,
            to_minute: minute(value, "to_minute")?,
            min: whole(value, "min")?,
        })
    };
    Ok(Demand {
        min: whole(&value, "min")?,
        max: whole(&value, "max")?,
        schedule: value["schedule"].as_array().ok_or_else(wrong)?.iter().map(window).collect::<Result<_>>()?,
    })
}

#[expect(clippy::struct_excessive_bools, reason = "columns")]
#[derive(FromQueryResult)]
struct CountedRow {
    group_name: String,
    user_group_id: Option<i64>,
    unconfigured: bool,
    template_id: i64,
    provider: String,
    version: String,
    build_date: BuildDate,
    unusable: bool,
    quarantined: bool,
    away: bool,
    requested: i64,
    coming: i64,
    ready: i64,
    leaving: i64,
}

impl TryFrom<CountedRow> for StockRow {
    type Error = Error;

    fn try_from(row: CountedRow) -> Result<Self> {
        let standing = match (row.unusable, row.quarantined, row.away) {
            (true, ..) => Standing::Unusable,
            (_, true, _) => Standing::Quarantined,
            (.., true) => Standing::Away,
            _ => Standing::Usable,
        };
        let stock = Stock {
            template_id: TemplateId(row.template_id),
            provider: ProviderKey(row.provider),
            version: Version::new(row.version),
            date: row.build_date,
            standing,
            requested: count(row.requested)?,
            coming: count(row.coming)?,
            ready: count(row.ready)?,
            leaving: count(row.leaving)?,
        };
        Ok(Self {
            group: GroupName(row.group_name),
            user_group_id: row.user_group_id.map(UserGroupId),
            unconfigured: row.unconfigured,
            stock,
        })
    }
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct KeyRow {
    provider: String,
}

/// States of a part, as a list for SQL.
fn states(part: Part) -> &'static str {
    match part {
        Part::Requested => "'requested'",
        Part::Coming => "'cloning', 'starting', 'preparing'",
        Part::Ready => "'ready'",
    }
}

#[async_trait]
impl ShepherdRows for SeaTx {
    async fn user_group_id(&mut self, name: &str) -> Result<Option<UserGroupId>> {
        let row: Option<IdRow> = self.row("select id from user_groups where name = $1", [name.into()]).await?;
        Ok(row.map(|row| UserGroupId(row.id)))
    }

    async fn user_groups_of(&mut self, user: UserId) -> Result<Vec<UserGroupId>> {
        let sql = "select user_group_id as id from user_group_members where user_id = $1 order by user_group_id";
        let rows: Vec<IdRow> = self.rows(sql, [user.0.into()]).await?;
        Ok(rows.into_iter().map(|row| UserGroupId(row.id)).collect())
    }

    async fn shepherds(&mut self, filter: &ShepherdFilter) -> Result<Vec<Shepherd>> {
        let mut conditions = Clauses::default();
        if let Some(group) = &filter.group {
            conditions.add("s.group_name = ?", group.0.as_str());
        }
        if let Some(name) = &filter.user_group {
            conditions.add("g.name = ?", name.as_str());
        }
        if let Some(member) = filter.member {
            conditions.add(
                "(s.user_group_id is null
                  or s.user_group_id in (select user_group_id from user_group_members where user_id = ?))",
                member.0,
            );
        }
        let sql = format!(
            "select s.*, g.name as user_group from shepherds s left join user_groups g on g.id = s.user_group_id
             where {} order by s.group_name, coalesce(g.name, '')",
            conditions.conditions()
        );
        let rows: Vec<ShepherdRow> = self.rows(&sql, conditions.values).await?;
        rows.into_iter().map(Shepherd::try_from).collect()
    }

    async fn set_shepherd(&mut self, shepherd: &Shepherd) -> Result<()> {
        let flock = shepherd.flock.id().map(|id| id.0);
        if shepherd.is_idle() {
            let sql = "delete from shepherds where group_name = $1 and coalesce(user_group_id, 0) = $2";
            self.run(sql, [shepherd.group.0.as_str().into(), flock.unwrap_or_default().into()]).await?;
            return Ok(());
        }
        let row: Vec<Value> = vec![
            shepherd.group.0.as_str().into(),
            flock.into(),
            i64::from(shepherd.preconfigured).into(),
            i64::from(shepherd.unconfigured).into(),
            shepherd.demand.as_ref().map(demand_to_json).into(),
        ];
        let rest = "on conflict (group_name, coalesce(user_group_id, 0)) do update set
                        preconfigured = excluded.preconfigured, unconfigured = excluded.unconfigured, demand = excluded.demand";
        let target = "shepherds (group_name, user_group_id, preconfigured, unconfigured, demand)";
        self.insert(target, vec![row], rest).await?;
        Ok(())
    }

    async fn stock(&mut self, group: Option<&GroupName>) -> Result<Vec<StockRow>> {
        let mut conditions = Clauses::default();
        if let Some(group) = group {
            conditions.add("group_name = ?", group.0.as_str());
        }
        // In words that the partial index has too, which answers this alone.
        let sql = format!(
            "select a.*, t.version, t.build_date, t.provider,
                    (t.state not in ('ready', 'quarantined') or t.obsolete or t.unusable <> '' or {DISABLED} or (a.user_group_id is not null and not exists (
                        select 1 from user_group_providers v where v.user_group_id = a.user_group_id and v.provider = t.provider
                    ))) as unusable,
                    t.state = 'quarantined' as quarantined, not p.working as away
             from (select group_name, user_group_id, unconfigured, template_id,
                          count(*) filter (where state = 'requested') as requested,
                          count(*) filter (where state in ('cloning', 'starting', 'preparing')) as coming,
                          count(*) filter (where state = 'ready') as ready,
                          count(*) filter (where state = 'killing') as leaving
                   from appliances
                   where pool_id is null and prepares is null and state in ('requested', 'cloning', 'starting', 'preparing', 'ready', 'killing') and {}
                   group by group_name, user_group_id, unconfigured, template_id) a
             join templates t on t.id = a.template_id join providers p on p.key = t.provider
             order by a.group_name, a.template_id",
            conditions.conditions()
        );
        let rows: Vec<CountedRow> = self.rows(&sql, conditions.values).await?;
        rows.into_iter().map(StockRow::try_from).collect()
    }

    async fn clonable_templates(&mut self, groups: &[GroupName]) -> Result<Vec<Template>> {
        let sql = format!(
            "select t.* from templates t join providers p on p.key = t.provider
             where t.state = 'ready' and not t.obsolete and t.unusable = '' and p.working and not {DISABLED} and t.group_name {} order by t.id",
            self.among(1)
        );
        let rows: Vec<template::Model> = self.rows(&sql, [self.texts(groups.iter().map(|group| &*group.0))]).await?;
        rows.into_iter().map(Template::try_from).collect()
    }

    async fn visibility(&mut self) -> Result<BTreeSet<(ProviderKey, UserGroupId)>> {
        #[derive(FromQueryResult)]
        struct Row {
            provider: String,
            user_group_id: i64,
        }
        let rows: Vec<Row> = self.rows("select provider, user_group_id from user_group_providers", []).await?;
        Ok(rows.into_iter().map(|row| (ProviderKey(row.provider), UserGroupId(row.user_group_id))).collect())
    }

    async fn waited_for(&mut self) -> Result<BTreeSet<ProviderKey>> {
        let sql = "select distinct t.provider
             from (select distinct group_name, version, build_date, provider, unconfigured from pools
                   where waiting_count > 0 and state in ('waiting', 'provisioning')) w
             join templates t on t.group_name = w.group_name and t.version = w.version and t.build_date = w.build_date
                             and t.unconfigured = w.unconfigured and t.state = 'ready' and t.unusable = ''
             where w.provider is null or w.provider = t.provider";
        let rows: Vec<KeyRow> = self.rows(sql, []).await?;
        Ok(rows.into_iter().map(|row| ProviderKey(row.provider)).collect())
    }

    async fn failed_since(&mut self, templates: &[TemplateId], since: Timestamp) -> Result<BTreeSet<TemplateId>> {
        let sql = format!(
            "select distinct template_id as id from appliances
             where pool_id is null and prepares is null and failed_at is not null and failed_at > $1 and template_id {}",
            self.among(2)
        );
        let values = [self.time(since), self.numbers(templates.iter().map(|id| id.0))];
        let rows: Vec<IdRow> = self.rows(&sql, values).await?;
        Ok(rows.into_iter().map(|row| TemplateId(row.id)).collect())
    }

    async fn pick_warm(&mut self, picks: &[Pick]) -> Result<Vec<ApplianceId>> {
        if picks.is_empty() {
            return Ok(Vec::new());
        }
        let mut values: Vec<Value> = Vec::new();
        let mut selects = Vec::new();
        for pick in picks {
            values.extend([
                pick.template.0.into(),
                pick.user_group_id.map_or(0, |id| id.0).into(),
                i64::from(pick.count).into(),
            ]);
            let (template, flock, number) = (values.len() - 2, values.len() - 1, values.len());
            selects.push(format!(
                "select id from (select id from appliances
                     where pool_id is null and prepares is null and state in ({}) and template_id = ${template} and coalesce(user_group_id, 0) = ${flock}
                     order by coalesce(ready_at, created_at), id limit ${number}) picked",
                states(pick.part)
            ));
        }
        let rows: Vec<IdRow> = self.rows(&selects.join(" union all "), values).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn asked_for(
        &mut self,
        group: &GroupName,
        user_group_id: Option<UserGroupId>,
        within: Duration,
    ) -> Result<Asked> {
        #[derive(FromQueryResult)]
        struct Row {
            asked: i64,
            looked_at: i64,
            oldest: Option<Timestamp>,
        }
        let since = sprout_domain::lease::begin(self.now, within);
        let mut values = vec![group.0.as_str().into(), self.time(since)];
        let mut member = String::new();
        if let Some(id) = user_group_id {
            values.push(id.0.into());
            member.push_str(" and owner_id in (select user_id from user_group_members where user_group_id = $3)");
        }
        let sql = format!(
            "select cast(coalesce(sum(case when group_name = $1 and not unconfigured{member} then count else 0 end), 0) as bigint) as asked,
                    count(*) as looked_at, min(created_at) as oldest
             from pools where id > (select coalesce(max(id), 0) - {LATEST} from pools) and created_at > $2"
        );
        let row: Option<Row> = self.row(&sql, values).await?;
        let row = row.ok_or_else(|| Error::internal("a sum without a row"))?;
        // Where there were more than are looked at, they tell of a shorter time.
        let told = row.oldest.filter(|_| row.looked_at >= LATEST).and_then(|oldest| (self.now - oldest).to_std().ok());
        Ok(Asked { appliances: row.asked.unsigned_abs(), within: told.unwrap_or(within) })
    }

    async fn deployment_times(&mut self, group: &GroupName, rows: u64) -> Result<Vec<Duration>> {
        #[derive(FromQueryResult)]
        struct Row {
            created_at: Timestamp,
            ready_at: Timestamp,
        }
        let sql = format!(
            "select created_at, ready_at from appliances
             where id > (select coalesce(max(id), 0) - {LATEST} from appliances) and group_name = $1 and ready_at is not null
             order by id desc limit $2"
        );
        let rows: Vec<Row> = self.rows(&sql, [group.0.as_str().into(), limit(rows).into()]).await?;
        Ok(rows.into_iter().filter_map(|row| (row.ready_at - row.created_at).to_std().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_kept_as_it_is() {
        let window = Window { days: vec![1, 5], from_minute: 480, to_minute: 1080, min: 4 };
        let demand = Demand { min: 1, max: 9, schedule: vec![window] };
        assert_eq!(demand_from_json(&demand_to_json(&demand)), Ok(demand));
        assert!(demand_from_json("{}").is_err() && demand_from_json("").is_err());
    }
}
