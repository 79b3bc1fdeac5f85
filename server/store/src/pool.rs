//! Pools. A pool is read with the name of its owner, which is the users' to keep.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{NewPool, Page, PoolChange, PoolFilter, PoolRows};
use sprout_domain::{
    Error, PoolId, ProviderKey, Reason, Result, UserId,
    pool::{Pool, PoolState, Priority},
    version::Version,
};

use crate::{
    convert::{Named, count, limit, microseconds, optional_count, variant},
    entities::pool::Model,
    tx::{Clauses, SeaTx},
};

const SELECT: &str = "select p.*, u.name as owner from pools p join users u on u.id = p.owner_id where ";

/// A pool with the name of its owner.
pub(crate) struct Row {
    pool: Model,
    owner: String,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { pool: Model::from_query_result(row, prefix)?, owner: row.try_get(prefix, "owner")? })
    }
}

impl TryFrom<Row> for Pool {
    type Error = Error;

    fn try_from(Row { pool, owner }: Row) -> Result<Self> {
        Ok(Self {
            id: PoolId(pool.id),
            request_id: pool.request_id,
            fingerprint: pool.fingerprint,
            requester_id: UserId(pool.requester_id),
            owner_id: UserId(pool.owner_id),
            owner,
            group: (&*pool.group_name).into(),
            version: Version::new(pool.version),
            date: pool.build_date,
            provider: pool.provider.map(ProviderKey),
            count: count(pool.count)?,
            lease: Duration::from_micros(pool.lease_us.unsigned_abs()),
            description: pool.description,
            memory_mib: optional_count(pool.memory_mib)?,
            cpus: optional_count(pool.cpus)?,
            state: variant(&pool.state)?,
            status: pool.status,
            failure_count: count(pool.failure_count)?,
            created_at: pool.created_at,
            fulfilled_at: pool.fulfilled_at,
            ended_at: pool.ended_at,
            provider_type: pool.provider_type,
            template_type: pool.template_type.as_deref().map(variant).transpose()?,
            unconfigured: pool.unconfigured,
            priority: if pool.priority == 0 { Priority::Interactive } else { Priority::Batch },
            waiting_count: count(pool.waiting_count)?,
            avoided_provider: pool.avoided_provider.map(ProviderKey),
            keep_alive: pool.keep_alive_us.map(|us| Duration::from_micros(us.unsigned_abs())),
            alive_until: pool.alive_until,
            wait_until: pool.wait_until,
            update: pool.updated,
        })
    }
}

fn all(rows: Vec<Row>) -> Result<Vec<Pool>> {
    rows.into_iter().map(Pool::try_from).collect()
}

/// A character that means itself in a pattern of `like`.
fn escaped(character: char) -> impl Iterator<Item = char> {
    let escape = matches!(character, '%' | '_' | '\\').then_some('\\');
    escape.into_iter().chain([character])
}

#[async_trait]
impl PoolRows for SeaTx {
    async fn insert_pools(&mut self, pools: Vec<NewPool>) -> Result<Vec<Pool>> {
        #[derive(FromQueryResult)]
        struct Inserted {
            id: i64,
            owner_id: i64,
            request_id: String,
        }
        let now = |states: &[PoolState], pool: &NewPool| states.contains(&pool.state).then_some(self.now);
        let fulfilled_at = |pool: &NewPool| now(&[PoolState::Ready], pool);
        let ended_at = |pool: &NewPool| now(&[PoolState::Ended, PoolState::Failed], pool);
        let row = |pool: &NewPool| -> Vec<Value> {
            vec![
                pool.request_id.as_str().into(),
                pool.fingerprint.as_str().into(),
                pool.owner.id.0.into(),
                pool.owner.id.0.into(),
                pool.group.0.as_str().into(),
                pool.version.as_str().into(),
                pool.date.into(),
                pool.provider.as_ref().map(|key| key.0.clone()).into(),
                i64::from(pool.count).into(),
                microseconds(pool.lease).into(),
                pool.description.as_str().into(),
                pool.memory_mib.map(i64::from).into(),
                pool.cpus.map(i64::from).into(),
                pool.state.name().into(),
                "".into(),
                0_i64.into(),
                self.time(self.now),
                self.optional_time(fulfilled_at(pool)),
                self.optional_time(ended_at(pool)),
                pool.provider_type.clone().into(),
                pool.template_type.map(Named::name).into(),
                pool.unconfigured.into(),
                (pool.priority as i16).into(),
                i64::from(pool.waiting_count).into(),
                pool.keep_alive.map(microseconds).into(),
                self.optional_time(pool.alive_until),
                self.optional_time(pool.wait_until),
                pool.update.into(),
            ]
        };
        let target = "pools (request_id, fingerprint, requester_id, owner_id, group_name, version, build_date, provider, count, lease_us, \
                      description, memory_mib, cpus, state, status, failure_count, created_at, fulfilled_at, ended_at, \
                      provider_type, template_type, unconfigured, priority, waiting_count, keep_alive_us, alive_until, wait_until, updated)";
        let rest = "on conflict (requester_id, request_id) do nothing returning id, owner_id, request_id";
        let inserted: Vec<Inserted> = self.insert_returning(target, pools.iter().map(row).collect(), rest).await?;
        let ids: BTreeMap<_, _> = inserted.into_iter().map(|row| ((row.owner_id, row.request_id), row.id)).collect();
        let made = |pool: NewPool| {
            let Some(id) = ids.get(&(pool.owner.id.0, pool.request_id.clone())) else {
                let sentence =
                    "this request id was used at the same time for another request; repeat this one, or use a new id";
                return Err(Error::new(Reason::RequestIdReused, sentence).with("request_id", pool.request_id));
            };
            Ok(Pool {
                id: PoolId(*id),
                fulfilled_at: fulfilled_at(&pool),
                ended_at: ended_at(&pool),
                request_id: pool.request_id,
                fingerprint: pool.fingerprint,
                requester_id: pool.owner.id,
                owner_id: pool.owner.id,
                owner: pool.owner.name,
                group: pool.group,
                version: pool.version,
                date: pool.date,
                provider: pool.provider,
                count: pool.count,
                lease: Duration::from_micros(microseconds(pool.lease).unsigned_abs()),
                description: pool.description,
                memory_mib: pool.memory_mib,
                cpus: pool.cpus,
                state: pool.state,
                status: String::new(),
                failure_count: 0,
                created_at: self.now,
                provider_type: pool.provider_type,
                template_type: pool.template_type,
                unconfigured: pool.unconfigured,
                priority: pool.priority,
                waiting_count: pool.waiting_count,
                avoided_provider: None,
                keep_alive: pool.keep_alive,
                alive_until: pool.alive_until,
                wait_until: pool.wait_until,
                update: pool.update,
            })
        };
        pools.into_iter().map(made).collect()
    }

    async fn pools_by_request(&mut self, requests: &[(UserId, String)]) -> Result<Vec<Pool>> {
        let wanted = if self.on_postgres() {
            "select * from unnest($1::bigint[], $2::text[]) as wanted (requester_id, request_id)"
        } else {
            "select o.value as requester_id, r.value as request_id from json_each($1) o join json_each($2) r on r.key = o.key"
        };
        let sql = format!(
            "select p.*, u.name as owner from ({wanted}) as wanted
             join pools p on p.requester_id = wanted.requester_id and p.request_id = wanted.request_id
             join users u on u.id = p.owner_id order by p.id"
        );
        let owners = self.numbers(requests.iter().map(|(owner, _)| owner.0));
        let ids = self.texts(requests.iter().map(|(_, id)| id.as_str()));
        all(self.rows(&sql, [owners, ids]).await?)
    }

    async fn pool(&mut self, id: PoolId) -> Result<Option<Pool>> {
        let row: Option<Row> = self.row(&format!("{SELECT} p.id = $1"), [id.0.into()]).await?;
        row.map(Pool::try_from).transpose()
    }

    async fn pools_by_id(&mut self, ids: &[PoolId]) -> Result<Vec<Pool>> {
        let sql = format!("{SELECT} p.id {} order by p.id", self.among(1));
        all(self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?)
    }

    async fn lock_pool(&mut self, id: PoolId) -> Result<Option<Pool>> {
        Ok(self.lock_pools(&[id]).await?.pop())
    }

    async fn lock_pools(&mut self, ids: &[PoolId]) -> Result<Vec<Pool>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let lock = if self.on_postgres() { "for no key update of p" } else { "" };
        let sql = format!("{SELECT} p.id {} order by p.id {lock}", self.among(1));
        all(self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?)
    }

    async fn pools(&mut self, filter: &PoolFilter, page: Page) -> Result<Vec<Pool>> {
        let mut conditions = Clauses::default();
        if let Some(id) = filter.owner_id {
            conditions.add("p.owner_id = ?", id.0);
        }
        if let Some(name) = &filter.owner {
            conditions.add("u.name = ?", name.as_str());
        }
        if !filter.states.is_empty() {
            let states = self.texts(filter.states.iter().map(|state| state.name()));
            conditions.among(self, "p.state", states);
        }
        if let Some(text) = &filter.description {
            conditions.add("p.description = ?", text.as_str());
        }
        if let Some(part) = &filter.description_part {
            let part: String = part.to_lowercase().chars().flat_map(escaped).collect();
            conditions.add(r"lower(p.description) like ? escape '\'", format!("%{part}%"));
        }
        if let Some(group) = &filter.group {
            conditions.add("p.group_name = ?", group.0.as_str());
        }
        if let Some(before) = page.before {
            conditions.add("p.id < ?", before);
        }
        let limit = conditions.parameter(limit(page.limit));
        let sql = format!("{SELECT} {} order by p.id desc limit {limit}", conditions.conditions());
        all(self.rows(&sql, conditions.values).await?)
    }

    async fn change_pools(&mut self, ids: &[PoolId], change: &PoolChange) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut set = Clauses::default();
        set.add("failure_count = failure_count + ?", i64::from(change.add_failures));
        if let Some(state) = change.state {
            set.add("state = ?", state.name());
            match state {
                PoolState::Ready => set.add("fulfilled_at = coalesce(fulfilled_at, ?)", self.time(self.now)),
                PoolState::Ended | PoolState::Failed => set.add("ended_at = ?", self.time(self.now)),
                PoolState::Waiting | PoolState::Provisioning | PoolState::Ending => {}
            }
        }
        if change.stop_waiting {
            set.plain("waiting_count = 0");
        }
        if let Some(status) = &change.status {
            set.add("status = ?", status.as_str());
        }
        self.update("pools", set, ids.iter().map(|id| id.0)).await
    }
}
