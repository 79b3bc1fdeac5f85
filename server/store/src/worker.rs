//! Workers and their sessions. What an older session says of its worker changes nothing.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{Heard, SessionRow, WorkerHello, WorkerRows};
use sprout_domain::{
    Error, Result, Timestamp, WorkerId, lease,
    worker::{Slots, Worker},
    workflow::Lane,
};

use crate::{
    convert::{count, lane},
    entities::worker::Model,
    task::Column,
    tx::SeaTx,
};

/// The table and its columns, as rows are inserted.
const COLUMNS: &str =
    "workers (id, version, drivers, slots, lane_slots, labels, session, connected, drained, leaving, last_heard_at)";

#[derive(FromQueryResult)]
struct Id {
    id: String,
}

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

impl TryFrom<Row> for Worker {
    type Error = Error;

    fn try_from(Row { worker, running }: Row) -> Result<Self> {
        Ok(Self {
            id: WorkerId(worker.id),
            version: worker.version,
            connected: worker.connected,
            slots: Slots { shared: count(worker.slots)?, lanes: read_lanes(&worker.lane_slots)? },
            running_count: count(running)?,
            drivers: worker.drivers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            labels: read_labels(&worker.labels),
            drained: worker.drained,
            leaving: worker.leaving,
            last_heard_at: worker.last_heard_at,
        })
    }
}

/// Room of lanes as the table has it: "1:4,2:8".
fn write_lanes(lanes: &BTreeMap<Lane, u32>) -> String {
    lanes.iter().map(|(lane, slots)| format!("{}:{slots}", *lane as i16)).collect::<Vec<_>>().join(",")
}

fn read_lanes(text: &str) -> Result<BTreeMap<Lane, u32>> {
    let bad = || Error::internal(format!("the database has impossible room of lanes: {text:?}"));
    let read = |part: &str| {
        let (number, slots) = part.split_once(':').ok_or_else(bad)?;
        Ok((lane(number.parse().map_err(|_| bad())?)?, slots.parse().map_err(|_| bad())?))
    };
    text.split(',').filter(|part| !part.is_empty()).map(read).collect()
}

/// Labels as the table has them, one per line. Keys have no `=`, and neither has a line break.
fn write_labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
}

fn read_labels(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

impl SeaTx {
    /// Locks a worker if the condition, with its one value, holds for it.
    async fn hold(&self, condition: &str, worker: &WorkerId, value: Value) -> Result<bool> {
        let sql = format!("select id from workers where id = $1 and {condition}{}", self.locked());
        Ok(self.row::<Id>(&sql, [worker.0.as_str().into(), value]).await?.is_some())
    }

    /// Locks those workers whose session this is and for whom the condition holds; in order of id, as everyone does.
    async fn hold_all(&self, sessions: Vec<(&WorkerId, &str)>, condition: &str, lock: &str) -> Result<Vec<WorkerId>> {
        let texts = |part: fn(&(&WorkerId, &str)) -> String| Column::Texts(sessions.iter().map(part).collect());
        let (given, values) = self.table(
            1,
            vec![
                ("worker", texts(|(id, _)| id.0.clone())),
                ("its_session", texts(|(_, session)| (*session).to_owned())),
            ],
        );
        let sql = format!(
            "select id from workers where (id, session) in (select worker, its_session from ({given}) as open) and {condition}
             order by id{lock}"
        );
        let held: Vec<Id> = self.rows(&sql, values).await?;
        Ok(held.into_iter().map(|row| WorkerId(row.id)).collect())
    }
}

#[async_trait]
impl WorkerRows for SeaTx {
    async fn worker_connected(&mut self, hello: &WorkerHello, session: &str) -> Result<bool> {
        #[derive(FromQueryResult)]
        struct Connected {
            drained: bool,
        }
        let row = vec![
            hello.id.0.as_str().into(),
            hello.version.as_str().into(),
            hello.drivers.join(",").into(),
            i64::from(hello.slots.shared).into(),
            write_lanes(&hello.slots.lanes).into(),
            write_labels(&hello.labels).into(),
            session.into(),
            true.into(),
            false.into(),
            hello.leaving.into(),
            self.time(self.now),
        ];
        let rest = "on conflict (id) do update set
                        version = excluded.version, drivers = excluded.drivers, slots = excluded.slots,
                        lane_slots = excluded.lane_slots, labels = excluded.labels, session = excluded.session,
                        connected = excluded.connected, leaving = excluded.leaving, last_heard_at = excluded.last_heard_at
                    returning drained";
        let rows: Vec<Connected> = self.insert_returning(COLUMNS, vec![row], rest).await?;
        Ok(rows.into_iter().any(|row| row.drained))
    }

    async fn worker_joined(&mut self, id: &WorkerId) -> Result<()> {
        let row = vec![
            id.0.as_str().into(),
            "".into(),
            "".into(),
            0_i64.into(),
            "".into(),
            "".into(),
            "".into(),
            false.into(),
            false.into(),
            false.into(),
            self.time(self.now),
        ];
        self.insert(COLUMNS, vec![row], "on conflict (id) do nothing").await?;
        Ok(())
    }

    async fn hold_sessions(&mut self, sessions: &[(WorkerId, String)]) -> Result<Vec<WorkerId>> {
        let sessions = sessions.iter().map(|(id, session)| (id, session.as_str())).collect();
        // Several may hold a session, as long as it is the worker's.
        let lock = if self.on_postgres() { " for share" } else { "" };
        self.hold_all(sessions, "not drained and not leaving", lock).await
    }

    async fn hold_silent(&mut self, worker: &WorkerId, unheard_for: Duration) -> Result<bool> {
        self.hold("last_heard_at <= $2", worker, self.time(lease::begin(self.now, unheard_for))).await
    }

    async fn end_session(&mut self, worker: &WorkerId) -> Result<()> {
        let no = self.no();
        let sql = format!("update workers set session = '', connected = {no} where id = $1");
        self.run(&sql, [worker.0.as_str().into()]).await?;
        Ok(())
    }

    async fn workers_heard(&mut self, sessions: &[Heard]) -> Result<Vec<WorkerId>> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let held = self
            .hold_all(sessions.iter().map(|heard| (&heard.worker, &*heard.session)).collect(), "true", self.locked())
            .await?;
        let heard = || sessions.iter().filter(|heard| held.contains(&heard.worker));
        let (given, values) = self.table(
            1,
            vec![
                ("worker", Column::Texts(heard().map(|heard| heard.worker.0.clone()).collect())),
                ("at", Column::Texts(heard().map(|heard| self.moment(lease::begin(self.now, heard.ago))).collect())),
            ],
        );
        let at = self.to_moment("at");
        let sql = format!(
            "update workers set last_heard_at = {at} from ({given}) as given where id = worker and last_heard_at < {at}"
        );
        self.run(&sql, values).await?;
        Ok(held)
    }

    async fn worker_leaving(&mut self, id: &WorkerId, session: &str) -> Result<bool> {
        let yes = if self.on_postgres() { "true" } else { "1" };
        let sql = format!("update workers set leaving = {yes} where id = $1 and session = $2 and not leaving");
        Ok(self.run(&sql, [id.0.as_str().into(), session.into()]).await? > 0)
    }

    async fn worker_disconnected(&mut self, id: &WorkerId, session: &str) -> Result<bool> {
        let sql = "update workers set connected = false where id = $1 and session = $2 and connected";
        Ok(self.run(sql, [id.0.as_str().into(), session.into()]).await? > 0)
    }

    async fn workers(&mut self, only: Option<&WorkerId>) -> Result<Vec<Worker>> {
        let one = if only.is_some() { "where w.id = $1" } else { "" };
        let sql = format!(
            "select w.*, (select count(*) from tasks t where t.worker = w.id and t.state = 'running') as running
             from workers w {one} order by w.id"
        );
        let rows: Vec<Row> = self.rows(&sql, only.map(|id| id.0.as_str().into())).await?;
        rows.into_iter().map(Worker::try_from).collect()
    }

    async fn sessions(&mut self, workers: &[WorkerId]) -> Result<Vec<SessionRow>> {
        #[derive(FromQueryResult)]
        struct Open {
            id: String,
            session: String,
            drained: bool,
        }
        let sql = format!("select id, session, drained from workers where id {} order by id", self.among(1));
        let rows: Vec<Open> = self.rows(&sql, [self.texts(workers.iter().map(|id| &*id.0))]).await?;
        let row = |row: Open| SessionRow { worker: WorkerId(row.id), session: row.session, drained: row.drained };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn set_drained(&mut self, id: &WorkerId, drained: bool) -> Result<bool> {
        let sql = "update workers set drained = $2 where id = $1";
        Ok(self.run(sql, [id.0.as_str().into(), drained.into()]).await? > 0)
    }

    async fn lock_worker(&mut self, id: &WorkerId) -> Result<bool> {
        let sql = format!("select id from workers where id = $1{}", self.locked());
        Ok(self.row::<Id>(&sql, [id.0.as_str().into()]).await?.is_some())
    }

    async fn delete_worker(&mut self, id: &WorkerId) -> Result<()> {
        self.run("delete from tokens where worker = $1", [id.0.as_str().into()]).await?;
        self.run("delete from workers where id = $1", [id.0.as_str().into()]).await?;
        Ok(())
    }

    async fn silent_workers(&mut self, with_tasks: Duration, idle: Duration) -> Result<Vec<WorkerId>> {
        let sql = "select id from workers w
                   where (last_heard_at <= $1 and exists (select 1 from tasks where worker = w.id and state = 'running'))
                      or (last_heard_at <= $2 and connected)
                   order by id";
        let since = [with_tasks, idle].map(|unheard_for| self.time(lease::begin(self.now, unheard_for)));
        let rows: Vec<Id> = self.rows(sql, since).await?;
        Ok(rows.into_iter().map(|row| WorkerId(row.id)).collect())
    }

    async fn longest_silent_since(&mut self) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Heard {
            last_heard_at: Timestamp,
        }
        let sql = "select last_heard_at from workers w
                   where exists (select 1 from tasks where worker = w.id and state = 'running')
                   order by last_heard_at limit 1";
        Ok(self.row::<Heard>(sql, []).await?.map(|row| row.last_heard_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_labels_lead_back() {
        let lanes: BTreeMap<_, _> = [(Lane::Kill, 4), (Lane::Maintain, u32::MAX)].into();
        assert_eq!(write_lanes(&lanes), "1:4,5:4294967295");
        assert_eq!(read_lanes(&write_lanes(&lanes)), Ok(lanes));
        assert!(
            read_lanes("").is_ok_and(|lanes| lanes.is_empty())
                && read_lanes("1").is_err()
                && read_lanes("9:1").is_err()
        );
        let labels: BTreeMap<String, String> =
            [("a", "b=c"), ("zone", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(read_labels(&write_labels(&labels)), labels);
        assert!(read_labels("").is_empty());
    }
}
