//! Quotas, and what counts against them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{QuotaAndUse, QuotaRows};
use sprout_domain::{
    Result, UserId,
    quota::{Quota, QuotaUse},
};

use crate::{
    convert::{count, optional_count},
    entities::user::Model,
    tx::SeaTx,
};

/// What a user's row says of the user's quota.
pub(crate) fn quota(row: &Model) -> Result<Quota> {
    Ok(Quota {
        appliances_per_pool: optional_count(row.quota_appliances_per_pool)?,
        pools: optional_count(row.quota_pools)?,
        appliances: optional_count(row.quota_appliances)?,
        weight: count(row.weight)?,
    })
}

/// A user with what the user has.
struct Used {
    user: Model,
    pools: i64,
    appliances: i64,
}

impl FromQueryResult for Used {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            user: Model::from_query_result(row, prefix)?,
            pools: row.try_get(prefix, "pools")?,
            appliances: row.try_get(prefix, "appliances")?,
        })
    }
}

#[async_trait]
impl QuotaRows for SeaTx {
    async fn quotas(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Quota>> {
        let sql = format!("select * from users where id {}", self.among(1));
        let rows: Vec<Model> = self.rows(&sql, [self.numbers(users.iter().map(|user| user.0))]).await?;
        rows.iter().map(|row| Ok((UserId(row.id), quota(row)?))).collect()
    }

    async fn quotas_and_use(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, QuotaAndUse>> {
        let sql = format!(
            "select u.*,
                    (select count(*) from pools p
                     where p.owner_id = u.id and p.state not in ('ended', 'failed')) as pools,
                    (select cast(coalesce(sum(p.count), 0) as bigint) from pools p
                     where p.owner_id = u.id and p.state not in ('ended', 'failed')) as appliances
             from users u where u.id {}",
            self.among(1)
        );
        let rows: Vec<Used> = self.rows(&sql, [self.numbers(users.iter().map(|user| user.0))]).await?;
        rows.iter()
            .map(|row| {
                let used = QuotaUse { pools: count(row.pools)?, appliances: count(row.appliances)? };
                Ok((UserId(row.user.id), QuotaAndUse { quota: quota(&row.user)?, used }))
            })
            .collect()
    }

    async fn lock_quotas(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, QuotaAndUse>> {
        if users.is_empty() {
            return Ok(BTreeMap::new());
        }
        if self.on_postgres() {
            // Counted after the lock: a statement that waits for it counts what was there before it waited.
            let sql = format!("select id from users where id {} order by id{}", self.among(1), self.locked());
            self.run(&sql, [self.numbers(users.iter().map(|user| user.0))]).await?;
        }
        self.quotas_and_use(users).await
    }

    async fn set_quota(&mut self, user: UserId, quota: &Quota) -> Result<()> {
        let number = |value: Option<u32>| -> Value { value.map(i64::from).into() };
        let sql =
            "update users set quota_appliances_per_pool = $2, quota_pools = $3, quota_appliances = $4, weight = $5
                   where id = $1";
        let values = [
            user.0.into(),
            number(quota.appliances_per_pool),
            number(quota.pools),
            number(quota.appliances),
            i64::from(quota.weight).into(),
        ];
        self.run(sql, values).await?;
        Ok(())
    }
}
