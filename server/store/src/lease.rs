//! Leases, reminders and holds. Each question about what is due next is answered from the head of a partial index.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Hold, LeaseRows};
use sprout_domain::{ApplianceId, PoolId, Result, Timestamp, UserId, appliance::Appliance, lease::LeaseEnd};

use crate::{
    appliance::{IdRow, ids},
    convert::{count, limit},
    tx::{Clauses, SeaTx},
};

/// Leases that end by themselves, in words that the partial index has too.
const LEASED: &str = "leased_until is not null and held_until is null and state not in ('killing', 'failed', 'gone')";
/// Holds, in words that the partial index has too.
const HELD: &str = "held_until is not null and state <> 'gone'";
/// Reminders to give, in words that the partial index has too.
const TO_REMIND: &str = "remind_at is not null and state not in ('killing', 'failed', 'gone')";

impl SeaTx {
    fn lease_end(&self, set: &mut Clauses, end: LeaseEnd) {
        set.add("leased_until = ?", self.optional_time(end.until));
        set.add("remind_at = ?", self.optional_time(end.remind_at));
        set.add("changed_at = ?", self.time(self.now));
    }

    async fn due_leases(&self, condition: &str, column: &str, rows: u64) -> Result<Vec<ApplianceId>> {
        let sql =
            format!("select id from appliances where {condition} and {column} <= $1 order by {column}, id limit $2");
        let rows: Vec<IdRow> = self.rows(&sql, [self.time(self.now), limit(rows).into()]).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }
}

#[async_trait]
impl LeaseRows for SeaTx {
    async fn set_pool_lease(&mut self, pool: PoolId, start: bool, end: LeaseEnd) -> Result<()> {
        let mut set = Clauses::default();
        self.lease_end(&mut set, end);
        if start {
            set.add("leased_at = ?", self.time(self.now));
        }
        let of_pool = set.parameter(pool.0);
        let sql = format!(
            "update appliances set {} where pool_id = {of_pool} and state not in ('killing', 'gone', 'failed', 'orphaned')",
            set.assignments()
        );
        self.run(&sql, set.values).await?;
        Ok(())
    }

    async fn set_lease(&mut self, id: ApplianceId, end: LeaseEnd) -> Result<()> {
        let mut set = Clauses::default();
        self.lease_end(&mut set, end);
        self.update("appliances", set, [id.0]).await
    }

    async fn next_lease_due(&mut self) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Row {
            at: Timestamp,
        }
        let heads = [(LEASED, "leased_until"), (HELD, "held_until"), (TO_REMIND, "remind_at")].map(|(condition, column)| {
            format!("select at from (select {column} as at from appliances where {condition} order by {column} limit 1) as {column}")
        });
        let rows: Vec<Row> = self.rows(&heads.join(" union all "), []).await?;
        Ok(rows.into_iter().map(|row| row.at).min())
    }

    async fn expired(&mut self, rows: u64) -> Result<Vec<ApplianceId>> {
        self.due_leases(LEASED, "leased_until", rows).await
    }

    async fn holds_over(&mut self, rows: u64) -> Result<Vec<ApplianceId>> {
        self.due_leases(HELD, "held_until", rows).await
    }

    async fn take_reminders(&mut self, rows: u64) -> Result<Vec<Appliance>> {
        let due = format!("{TO_REMIND} and remind_at <= $1 order by remind_at, id limit $2{}", self.locked_skipping());
        self.appliances_where(&due, vec![self.time(self.now), limit(rows).into()]).await
    }

    async fn set_reminders(&mut self, next: &[(ApplianceId, Option<Timestamp>)]) -> Result<()> {
        if next.is_empty() {
            return Ok(());
        }
        // What is reminded of together ends together, mostly: the different moments are few.
        let mut set = Clauses::default();
        let mut moments: Vec<Option<Timestamp>> = next.iter().map(|(_, at)| *at).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut cases = String::new();
        for moment in moments {
            let those = self.numbers(next.iter().filter(|(_, at)| *at == moment).map(|(id, _)| id.0));
            let at: Value = self.optional_time(moment);
            let (those, at) = (set.parameter_of(those), set.parameter(at));
            let timestamp = if self.on_postgres() { "::timestamptz" } else { "" };
            cases.extend([format!(" when id {} then {at}{timestamp}", self.among(those))]);
        }
        set.plain(format!("remind_at = case{cases} end"));
        self.update("appliances", set, next.iter().map(|(id, _)| id.0)).await
    }

    async fn set_hold(&mut self, list: &[ApplianceId], hold: Option<&Hold>) -> Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        let mut set = Clauses::default();
        set.add("held_until = ?", self.optional_time(hold.map(|hold| hold.until)));
        set.add("hold_reason = ?", hold.map(|hold| hold.reason.as_str()).unwrap_or_default());
        set.add("changed_at = ?", self.time(self.now));
        self.update("appliances", set, ids(list)).await
    }

    async fn held_count(&mut self, owner: UserId) -> Result<u32> {
        #[derive(FromQueryResult)]
        struct Row {
            number: i64,
        }
        // What is held by all is little, and an index of its own.
        let sql = "select count(*) as number from appliances a join pools p on p.id = a.pool_id
                   where a.held_until is not null and a.state <> 'gone' and p.owner_id = $1";
        let row: Option<Row> = self.row(sql, [owner.0.into()]).await?;
        count(row.map_or(0, |row| row.number))
    }
}
