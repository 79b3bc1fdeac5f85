//! Events, in an order that readers can follow: a sequence becomes visible only after every lower one.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{EventFilter, EventRows, Told};
use sprout_domain::{
    ApplianceId, Error, PoolId, ProviderKey, Result, UserGroupId, UserId, WorkerId, WorkflowId,
    event::{Audience, Event, NewEvent},
};

use crate::{
    convert::{Named, limit, variant},
    entities::event::Model,
    postgres::as_columns,
    tx::{Clauses, SeaTx},
};

/// Held on PostgreSQL from the first event to the commit, so that sequences are given in the order of commits.
const ORDER_LOCK: i64 = 0x4556_454e_5453;

/// What is written of an event, in this order.
const COLUMNS: &str = "happened_at, kind, pool_id, appliance_id, provider, workflow_id, user_name, state, message, owner_id, former_owner_id, audience, worker";

impl TryFrom<Model> for Event {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            sequence: row.sequence,
            happened_at: row.happened_at,
            fact: NewEvent {
                kind: variant(&row.kind)?,
                pool_id: row.pool_id.map(PoolId),
                appliance_id: row.appliance_id.map(ApplianceId),
                provider: row.provider.map(ProviderKey),
                worker: row.worker.map(WorkerId),
                workflow_id: row.workflow_id.map(WorkflowId),
                user: row.user_name,
                state: row.state,
                message: row.message,
                owner_id: row.owner_id.map(UserId),
                former_owner_id: row.former_owner_id.map(UserId),
                audience: row.audience.as_deref().map(audience).transpose()?,
            },
        })
    }
}

const EVERYONE: &str = "everyone";
const PROVIDER: &str = "provider:";
const USER_GROUP: &str = "user_group:";

/// An audience as it is stored.
fn stored(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => EVERYONE.to_owned(),
        Audience::Provider(key) => format!("{PROVIDER}{key}"),
        Audience::UserGroup(id) => format!("{USER_GROUP}{id}"),
    }
}

fn audience(stored: &str) -> Result<Audience> {
    if stored == EVERYONE {
        return Ok(Audience::Everyone);
    }
    if let Some(key) = stored.strip_prefix(PROVIDER) {
        return Ok(Audience::Provider(key.into()));
    }
    let id = stored.strip_prefix(USER_GROUP).and_then(|id| id.parse().ok());
    let unknown = || Error::internal(format!("the database has an unknown audience: {stored:?}"));
    id.map(|id| Audience::UserGroup(UserGroupId(id))).ok_or_else(unknown)
}

impl SeaTx {
    /// What several queries give, each in this order, in this order.
    pub(crate) async fn merged(&self, heads: &[String], values: Vec<Value>, order: &str) -> Result<Vec<Event>> {
        let heads: Vec<_> =
            heads.iter().enumerate().map(|(n, head)| format!("select * from ({head}) as head_{n}")).collect();
        let sql = format!("select * from ({}) as e {order}", heads.join(" union "));
        let rows: Vec<Model> = self.rows(&sql, values).await?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// Queries that together give what someone may be told, `more` of it: each an ordered read of an index, whose end is `order`.
    pub(crate) fn told(&self, told: &Told, more: &mut Clauses, order: &str) -> Vec<String> {
        let mut heads = Vec::new();
        let user = told.user_id.map(|user| more.parameter(user.0));
        let audiences: Vec<_> = told.audiences.iter().map(stored).collect();
        let audiences = more.parameter_of(self.texts(audiences.iter().map(String::as_str)));
        let conditions = more.conditions();
        for column in ["owner_id", "former_owner_id"] {
            if let Some(user) = &user {
                heads.push(format!("select e.* from events e where e.{column} = {user} and {conditions} {order}"));
            }
        }
        let of_one = |columns| {
            format!("select {columns} from events e where e.audience = audience.value and {conditions} {order}")
        };
        heads.push(if self.on_postgres() {
            let of_one = of_one("e.*");
            format!(
                "select told.* from unnest(${audiences}::text[]) as audience (value) cross join lateral ({of_one}) told"
            )
        } else {
            let of_one = of_one("e.sequence");
            format!(
                "select told.* from json_each(${audiences}) audience join events told on told.sequence in ({of_one})"
            )
        });
        heads
    }
}

#[async_trait]
impl EventRows for SeaTx {
    async fn append_events(&mut self, events: Vec<NewEvent>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let row = |event: NewEvent| -> Vec<Value> {
            vec![
                self.time(self.now),
                event.kind.name().into(),
                event.pool_id.map(|id| id.0).into(),
                event.appliance_id.map(|id| id.0).into(),
                event.provider.map(|key| key.0).into(),
                event.workflow_id.map(|id| id.0).into(),
                event.user.into(),
                event.state.into(),
                event.message.into(),
                event.owner_id.map(|id| id.0).into(),
                event.former_owner_id.map(|id| id.0).into(),
                event.audience.as_ref().map(stored).into(),
                event.worker.map(|id| id.0).into(),
            ]
        };
        // Whose the pool is when this is committed: who changes that has the pool and its appliances locked.
        let owner = |pool: &str, owner: &str| {
            format!("coalesce({owner}, (select p.owner_id from pools p where p.id = {pool}))")
        };
        let rows: Vec<Vec<Value>> = events.into_iter().map(row).collect();
        if !self.on_postgres() {
            let plain: Vec<_> = (1..=9).map(|n| format!("column{n}")).collect();
            let owner = owner("column3", "column10");
            let target =
                format!("events ({COLUMNS}) select {}, {owner}, column11, column12, column13 from (", plain.join(", "));
            self.insert(&target, rows, ")").await?;
            return Ok(());
        }
        // The lock comes first: a row of the other part gets its sequence when it is joined to the row that the lock returned.
        let (given, mut values) = as_columns(2, &rows).ok_or_else(|| Error::internal("events of several forms"))?;
        let owner = owner("given.pool_id", "given.owner_id");
        let sql = format!(
            "with ordered as materialized (select pg_advisory_xact_lock($1))
             insert into events ({COLUMNS})
             select happened_at, kind, pool_id, appliance_id, provider, workflow_id, user_name, state, message, {owner}, former_owner_id, audience, worker
             from ordered cross join ({given}) as given ({COLUMNS})"
        );
        values.insert(0, ORDER_LOCK.into());
        self.run(&sql, values).await?;
        Ok(())
    }

    async fn events_after(&mut self, sequence: i64, filter: &EventFilter, rows: u64) -> Result<Vec<Event>> {
        let mut clauses = Clauses::default();
        clauses.add("e.sequence > ?", sequence);
        let order = format!("order by e.sequence limit {}", clauses.parameter(limit(rows)));
        if !filter.kinds.is_empty() {
            let kinds = self.texts(filter.kinds.iter().map(|kind| kind.name()));
            clauses.among(self, "e.kind", kinds);
        }
        let heads = if let Some(told) = &filter.told {
            self.told(told, &mut clauses, &order)
        } else {
            if let Some(id) = filter.appliance_id {
                let appliance = clauses.parameter(id.0);
                let whole = filter.whole_pool.map(|pool| clauses.parameter(pool.0));
                clauses.plain(whole.map_or_else(
                    || format!("e.appliance_id = {appliance}"),
                    |pool| format!("(e.appliance_id = {appliance} or (e.pool_id = {pool} and e.appliance_id is null))"),
                ));
            }
            let pool = filter.pool_id.map(|id| clauses.parameter(id.0));
            let conditions = clauses.conditions();
            match pool {
                None => vec![format!("select e.* from events e where {conditions} {order}")],
                // Two ordered reads of two indexes, instead of one read of everything there is.
                Some(pool) => vec![
                    format!("select e.* from events e where e.pool_id = {pool} and {conditions} {order}"),
                    format!(
                        "select e.* from appliances a join events e on e.appliance_id = a.id
                         where a.pool_id = {pool} and {conditions} {order}"
                    ),
                ],
            }
        };
        self.merged(&heads, clauses.values, &order).await
    }

    async fn last_sequence(&mut self) -> Result<i64> {
        #[derive(FromQueryResult)]
        struct Last {
            sequence: i64,
        }
        let last: Option<Last> = self.row("select sequence from events order by sequence desc limit 1", []).await?;
        Ok(last.map_or(0, |last| last.sequence))
    }
}
