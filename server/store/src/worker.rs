//! Workers and their sessions. What an older session says of its worker changes nothing.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{WorkerHello, WorkerRows};
use sprout_domain::{Result, WorkerId, lease, worker::Worker};

use crate::{
    convert::count,
    entities::worker::Model,
    tx::{Clauses, SeaTx},
};

/// Pairs of worker and session in one statement.
const PAIRS: usize = 1000;

/// A worker with the number of tasks it runs.
struct Row {
    worker: Model,
    running: i64,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { worker: Model::from_query_result(row, prefix)?, running: row.try_get(prefix, "running")? })
    }
}

impl SeaTx {
    /// Locks a worker if the condition, with its one value, holds for it.
    async fn hold(&self, condition: &str, worker: &WorkerId, value: Value) -> Result<bool> {
        #[derive(FromQueryResult)]
        struct Held {
            #[allow(dead_code, reason = "whether there is a row is the answer")]
            id: String,
        }
        let sql = format!("select id from workers where id = $1 and {condition}{}", self.locked());
        Ok(self.row::<Held>(&sql, [worker.0.as_str().into(), value]).await?.is_some())
    }
}

#[async_trait]
impl WorkerRows for SeaTx {
    async fn worker_connected(&mut self, hello: &WorkerHello, session: &str) -> Result<()> {
        let row = vec![
            hello.id.0.as_str().into(),
            hello.version.as_str().into(),
            hello.drivers.join(",").into(),
            i64::from(hello.slots).into(),
            session.into(),
            true.into(),
            self.time(self.now),
        ];
        let rest = "on conflict (id) do update set
                        version = excluded.version, drivers = excluded.drivers, slots = excluded.slots,
                        session = excluded.session, connected = excluded.connected, last_heard_at = excluded.last_heard_at";
        let target = "workers (id, version, drivers, slots, session, connected, last_heard_at)";
        self.insert(target, vec![row], rest).await?;
        Ok(())
    }

    async fn hold_session(&mut self, worker: &WorkerId, session: &str) -> Result<bool> {
        self.hold("session = $2", worker, session.into()).await
    }

    async fn hold_silent(&mut self, worker: &WorkerId, unheard_for: Duration) -> Result<bool> {
        self.hold("last_heard_at <= $2", worker, self.time(lease::begin(self.now, unheard_for))).await
    }

    async fn workers_heard(&mut self, sessions: &[(WorkerId, String)]) -> Result<()> {
        for some in sessions.chunks(PAIRS) {
            let mut heard = Clauses::default();
            let now = heard.parameter(self.time(self.now));
            let pairs: Vec<String> = some
                .iter()
                .map(|(id, session)| {
                    let (id, session) = (heard.parameter(id.0.as_str()), heard.parameter(session.as_str()));
                    format!("(id = {id} and session = {session})")
                })
                .collect();
            let sql = format!("update workers set last_heard_at = {now} where {}", pairs.join(" or "));
            self.run(&sql, heard.values).await?;
        }
        Ok(())
    }

    async fn worker_disconnected(&mut self, id: &WorkerId, session: &str) -> Result<()> {
        let sql = "update workers set connected = false where id = $1 and session = $2";
        self.run(sql, [id.0.as_str().into(), session.into()]).await?;
        Ok(())
    }

    async fn workers(&mut self) -> Result<Vec<Worker>> {
        let sql = "select w.*, coalesce(t.running, 0) as running from workers w
                   left join (select worker, count(*) as running from tasks where state = 'running' group by worker) t
                          on t.worker = w.id
                   order by w.id";
        let rows: Vec<Row> = self.rows(sql, []).await?;
        rows.into_iter()
            .map(|Row { worker, running }| {
                Ok(Worker {
                    id: WorkerId(worker.id),
                    version: worker.version,
                    connected: worker.connected,
                    slots: count(worker.slots)?,
                    running_count: count(running)?,
                    drivers: worker.drivers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
                    last_heard_at: worker.last_heard_at,
                })
            })
            .collect()
    }

    async fn silent_workers(&mut self, unheard_for: Duration) -> Result<Vec<WorkerId>> {
        #[derive(FromQueryResult)]
        struct Silent {
            id: String,
        }
        let sql = "select id from workers w where last_heard_at <= $1
                       and exists (select 1 from tasks where worker = w.id and state = 'running')
                   order by id";
        let rows: Vec<Silent> = self.rows(sql, [self.time(lease::begin(self.now, unheard_for))]).await?;
        Ok(rows.into_iter().map(|row| WorkerId(row.id)).collect())
    }
}
