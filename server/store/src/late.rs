//! Workflows that take too long, and pools that nothing is left of.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::LateRows;
use sprout_domain::{
    ApplianceId, PoolId, ProviderKey, Result, Timestamp, WorkflowId, lease,
    workflow::{Lane, Workflow},
};

use crate::{convert::limit, tx::SeaTx};

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct AtRow {
    at: Timestamp,
}

#[async_trait]
impl LateRows for SeaTx {
    async fn late_workflows(&mut self, most: u64) -> Result<Vec<Workflow>> {
        let sql = "select id from workflows where finished_at is null and late_at is not null and late_at <= $1
                   order by late_at limit $2";
        let late: Vec<IdRow> = self.rows(sql, [self.time(self.now), limit(most).into()]).await?;
        if late.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self.numbers(late.into_iter().map(|row| row.id));
        self.listed(&format!("id {}", self.among(1)), [ids], limit(most)).await
    }

    async fn next_late(&mut self) -> Result<Option<Timestamp>> {
        let sql = "select late_at as at from workflows where finished_at is null and late_at is not null
                   order by late_at limit 1";
        Ok(self.row::<AtRow>(sql, []).await?.map(|row| row.at))
    }

    async fn never_late(&mut self, id: WorkflowId) -> Result<()> {
        self.run("update workflows set late_at = null where id = $1", [id.0.into()]).await?;
        Ok(())
    }

    async fn hurry_kills(&mut self, configured: &[ProviderKey]) -> Result<()> {
        let sql = format!(
            "update workflows set late_at = $1 where finished_at is null and lane = {} and kind = 'kill' and not (provider {})",
            Lane::Kill as i16,
            self.among(2)
        );
        self.run(&sql, [self.time(self.now), self.texts(configured.iter().map(|key| &*key.0))]).await?;
        Ok(())
    }

    async fn set_stuck(&mut self, appliance: ApplianceId, status: &str) -> Result<()> {
        let now = self.time(self.now);
        let sql = "update appliances set stuck_since = coalesce(stuck_since, $2), status = $3, status_changed_at = $2, changed_at = $2
                   where id = $1 and state = 'killing'";
        self.run(sql, [appliance.0.into(), now, status.into()]).await?;
        Ok(())
    }

    async fn empty_pools(&mut self, older: Duration, most: u64) -> Result<Vec<PoolId>> {
        let sql = "select p.id from pools p
                   where p.state not in ('ended', 'failed') and p.waiting_count = 0 and p.created_at < $1
                     and not exists (select 1 from appliances a where a.pool_id = p.id and a.state <> 'gone')
                   order by p.id limit $2";
        let before = self.time(lease::begin(self.now, older));
        let rows: Vec<IdRow> = self.rows(sql, [before, limit(most).into()]).await?;
        Ok(rows.into_iter().map(|row| PoolId(row.id)).collect())
    }
}
