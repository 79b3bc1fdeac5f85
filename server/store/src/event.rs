//! Events, in an order that readers can follow: a sequence becomes visible only after every lower one.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{EventFilter, EventRows};
use sprout_domain::{
    ApplianceId, Error, PoolId, ProviderKey, Result, WorkflowId,
    event::{Event, NewEvent},
};

use crate::{
    convert::{Named, limit, variant},
    entities::event::Model,
    postgres::as_columns,
    tx::SeaTx,
};

/// Held on PostgreSQL from the first event to the commit, so that sequences are given in the order of commits.
const ORDER_LOCK: i64 = 0x4556_454e_5453;

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
                workflow_id: row.workflow_id.map(WorkflowId),
                user: row.user_name,
                state: row.state,
                message: row.message,
            },
        })
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
            ]
        };
        let target =
            "events (happened_at, kind, pool_id, appliance_id, provider, workflow_id, user_name, state, message)";
        let rows: Vec<Vec<Value>> = events.into_iter().map(row).collect();
        if !self.on_postgres() {
            self.insert(target, rows, "").await?;
            return Ok(());
        }
        // The lock comes first: a row of the other part gets its sequence when it is joined to the row that the lock returned.
        let (given, mut values) = as_columns(2, &rows).ok_or_else(|| Error::internal("events of several forms"))?;
        let sql = format!(
            "with ordered as materialized (select pg_advisory_xact_lock($1))
             insert into {target} select given.* from ordered cross join ({given}) as given"
        );
        values.insert(0, ORDER_LOCK.into());
        self.run(&sql, values).await?;
        Ok(())
    }

    async fn events_after(&mut self, sequence: i64, filter: &EventFilter, rows: u64) -> Result<Vec<Event>> {
        let mut values: Vec<Value> = vec![sequence.into(), limit(rows).into()];
        let appliance = match filter.appliance_id {
            Some(id) => {
                values.push(id.0.into());
                match filter.whole_pool {
                    Some(pool) => {
                        values.push(pool.0.into());
                        "(e.appliance_id = $3 or (e.pool_id = $4 and e.appliance_id is null))"
                    }
                    None => "e.appliance_id = $3",
                }
            }
            None => "true",
        };
        let sql = match filter.pool_id {
            None => {
                format!("select e.* from events e where e.sequence > $1 and {appliance} order by e.sequence limit $2")
            }
            Some(id) => {
                values.push(id.0.into());
                let pool = format!("${}", values.len());
                // Two ordered reads of two indexes, instead of one read of everything there is.
                format!(
                    "select * from (
                         select * from (select e.* from events e where e.sequence > $1 and {appliance} and e.pool_id = {pool}
                                        order by e.sequence limit $2) of_pool
                         union
                         select * from (select e.* from appliances a join events e on e.appliance_id = a.id
                                        where e.sequence > $1 and {appliance} and a.pool_id = {pool}
                                        order by e.sequence limit $2) of_its_appliances
                     ) either order by sequence limit $2"
                )
            }
        };
        let rows: Vec<Model> = self.rows(&sql, values).await?;
        rows.into_iter().map(Event::try_from).collect()
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
