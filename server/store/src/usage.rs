//! Usage: what leases add to it, and sums of it.

use async_trait::async_trait;
use chrono::NaiveDate;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{UsageFilter, UsageRows};
use sprout_domain::{
    ApplianceId, Result, Timestamp,
    usage::{Account, OpenLease, UsageDay},
};

use crate::{
    convert::limit,
    tx::{Clauses, SeaTx},
};

/// Leases that run: where time goes on being used.
const RUNNING: &str =
    "a.leased_at is not null and a.pool_id is not null and a.state not in ('killing', 'failed', 'gone')";
/// Appliances with whose they are.
const LEASES: &str = "select a.id, a.leased_at, a.accounted_until, u.name as user_name, a.group_name, a.provider,
        coalesce((select min(g.name) from user_groups g
                  join user_group_members m on m.user_group_id = g.id and m.user_id = p.owner_id
                  join user_group_providers r on r.user_group_id = g.id and r.provider = a.provider), '') as user_group
    from appliances a join pools p on p.id = a.pool_id join users u on u.id = p.owner_id";

#[derive(FromQueryResult)]
struct LeaseRow {
    id: i64,
    leased_at: Timestamp,
    accounted_until: Option<Timestamp>,
    user_name: String,
    user_group: String,
    group_name: String,
    provider: String,
}

impl From<LeaseRow> for OpenLease {
    fn from(row: LeaseRow) -> Self {
        let LeaseRow { id, leased_at, accounted_until, user_name, user_group, group_name, provider } = row;
        Self {
            appliance: ApplianceId(id),
            of: Account { user: user_name, user_group, group: group_name, provider },
            // An appliance that came back into the warm pool was accounted for whoever had it before.
            since: accounted_until.map_or(leased_at, |until| until.max(leased_at)),
        }
    }
}

#[derive(FromQueryResult)]
struct Id {
    id: i64,
}

#[derive(FromQueryResult)]
struct DayRow {
    day: NaiveDate,
    user_name: String,
    user_group: String,
    group_name: String,
    provider: String,
    seconds: i64,
}

impl From<DayRow> for UsageDay {
    fn from(row: DayRow) -> Self {
        let DayRow { day, user_name, user_group, group_name, provider, seconds } = row;
        let of = Account { user: user_name, user_group, group: group_name, provider };
        Self { day, of, seconds: seconds.unsigned_abs() }
    }
}

#[async_trait]
impl UsageRows for SeaTx {
    async fn open_leases(&mut self, ids: &[ApplianceId]) -> Result<Vec<OpenLease>> {
        let sql = format!("{LEASES} where a.leased_at is not null and a.id {}", self.among(1));
        let rows: Vec<LeaseRow> = self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?;
        Ok(rows.into_iter().map(OpenLease::from).collect())
    }

    async fn lock_leases(&mut self, before: Timestamp, most: u64) -> Result<Vec<ApplianceId>> {
        let sql = format!(
            "select a.id from appliances a where {RUNNING} and a.leased_at < $1
                 and (a.accounted_until is null or a.accounted_until < $1)
             order by a.id limit $2{}",
            self.locked_skipping()
        );
        let rows: Vec<Id> = self.rows(&sql, [self.time(before), limit(most).into()]).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn running_leases(&mut self, user: Option<&str>) -> Result<Vec<OpenLease>> {
        let mut clauses = Clauses::default();
        clauses.plain(RUNNING);
        if let Some(user) = user {
            clauses.add("u.name = ?", user);
        }
        let rows: Vec<LeaseRow> =
            self.rows(&format!("{LEASES} where {}", clauses.conditions()), clauses.values).await?;
        Ok(rows.into_iter().map(OpenLease::from).collect())
    }

    async fn account(&mut self, usage: &[UsageDay], appliances: &[ApplianceId]) -> Result<()> {
        let row = |usage: &UsageDay| -> Vec<Value> {
            let UsageDay { day, of, seconds } = usage;
            let texts = [&of.user, &of.user_group, &of.group, &of.provider].map(|text| text.as_str().into());
            let seconds = i64::try_from(*seconds).unwrap_or(i64::MAX).into();
            std::iter::once((*day).into()).chain(texts).chain([seconds]).collect()
        };
        let target = "usage_days (day, user_name, user_group, group_name, provider, seconds)";
        let rest = "on conflict (day, user_name, user_group, group_name, provider)
                    do update set seconds = usage_days.seconds + excluded.seconds";
        self.insert(target, usage.iter().map(row).collect(), rest).await?;
        let mut set = Clauses::default();
        set.add("accounted_until = ?", self.time(self.now));
        self.update("appliances", set, appliances.iter().map(|id| id.0)).await
    }

    async fn usage(&mut self, filter: &UsageFilter) -> Result<Vec<UsageDay>> {
        let mut clauses = Clauses::default();
        clauses.add("day >= ?", filter.from);
        clauses.add("day <= ?", filter.to);
        for (column, value) in [
            ("user_name", &filter.user),
            ("user_group", &filter.user_group),
            ("group_name", &filter.group),
            ("provider", &filter.provider),
        ] {
            if let Some(value) = value {
                clauses.add(&format!("{column} = ?"), value.as_str());
            }
        }
        let sql = format!("select * from usage_days where {}", clauses.conditions());
        let rows: Vec<DayRow> = self.rows(&sql, clauses.values).await?;
        Ok(rows.into_iter().map(UsageDay::from).collect())
    }
}
