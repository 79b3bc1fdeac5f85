//! Numbers over time: what they are counted from, and the rows they are written to.

mod row;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::StatsRows;
use sprout_domain::{
    Result, Timestamp,
    stats::{Flows, Levels, Sample, Waits},
};

use crate::{
    convert::{limit, variant},
    entities::sample::Model,
    tx::SeaTx,
};

/// What is counted of a kind of events. One of a workflow of several parts tells its end; another one failed with a step that did for good, in one transaction.
const COUNTED: &str = "e.sequence > $1 and e.sequence <= $2
    and e.kind in ('pool_requested', 'pool_state', 'appliance_state', 'step_done', 'step_failed', 'workflow_ended')";
/// A pool that became ready for the first time.
const READY: &str = "e.sequence > $1 and e.sequence <= $2
    and e.kind = 'pool_state' and e.state = 'ready' and p.fulfilled_at = e.happened_at";

#[derive(FromQueryResult)]
struct StateRow {
    state: String,
    count: i64,
}

#[derive(FromQueryResult)]
struct LevelRow {
    waiting_pools: i64,
    waiting_seats: i64,
    warm: i64,
    workers: i64,
    slots: i64,
    running_tasks: i64,
}

#[derive(FromQueryResult)]
struct EventRow {
    moment: Timestamp,
    kind: String,
    state: String,
    count: i64,
    failed_workflows: i64,
}

impl From<EventRow> for (Timestamp, Flows) {
    fn from(row: EventRow) -> Self {
        let EventRow { moment, kind, state, count, failed_workflows } = row;
        let count = count.unsigned_abs();
        let mut flows = Flows { workflows_failed: failed_workflows.unsigned_abs(), ..Flows::default() };
        match (kind.as_str(), state.as_str()) {
            ("pool_requested", _) => flows.pools_requested = count,
            ("pool_state", "failed") => flows.pools_failed = count,
            ("appliance_state", "failed") => flows.appliances_failed = count,
            ("step_done", _) => flows.tasks_done = count,
            ("step_failed", _) => flows.tasks_failed = count,
            ("workflow_ended", "failed") => flows.workflows_failed = count,
            _ => {}
        }
        (moment, flows)
    }
}

#[derive(FromQueryResult)]
struct ReadyRow {
    moment: Timestamp,
    wait_ms: i64,
    pools: i64,
    appliances: i64,
    warm: i64,
}

impl From<ReadyRow> for (Timestamp, Flows) {
    fn from(row: ReadyRow) -> Self {
        let ReadyRow { moment, wait_ms, pools, appliances, warm } = row;
        let wait = Duration::from_millis(wait_ms.unsigned_abs());
        let (appliances, warm) = (appliances.unsigned_abs(), warm.unsigned_abs());
        let waits = Waits::of(wait, pools.unsigned_abs());
        (moment, Flows { waits, granted_warm: warm, deployed: appliances - warm.min(appliances), ..Flows::default() })
    }
}

impl SeaTx {
    /// The minute of a column, to group by.
    fn minute(&self, column: &str) -> String {
        if self.on_postgres() { format!("date_trunc('minute', {column})") } else { format!("substr({column}, 1, 16)") }
    }

    /// Milliseconds from one column to another.
    fn milliseconds(&self, from: &str, to: &str) -> String {
        if self.on_postgres() {
            format!("cast(round(extract(epoch from {to} - {from}) * 1000) as bigint)")
        } else {
            format!("cast(round((julianday({to}) - julianday({from})) * 86400000) as integer)")
        }
    }

    /// The first sample in an order.
    async fn one_sample(&self, rest: &str, values: Vec<Value>) -> Result<Option<Sample>> {
        let row: Option<Model> = self.row(&format!("select * from samples {rest} limit 1"), values).await?;
        Ok(row.map(Sample::from))
    }
}

#[async_trait]
impl StatsRows for SeaTx {
    async fn count_levels(&mut self) -> Result<Levels> {
        // In the order of the index, so that nothing is sorted.
        let by_state = "select state, cast(sum(count) as bigint) as count
             from (select provider, state, count(*) as count from appliances where state <> 'gone' group by provider, state) as counted
             group by state";
        let states: Vec<StateRow> = self.rows(by_state, []).await?;
        let rest = "select w.pools as waiting_pools, w.seats as waiting_seats, o.workers, o.slots,
                 (select count(*) from appliances where state = 'ready' and pool_id is null and prepares is null) as warm,
                 (select count(*) from tasks where state = 'running') as running_tasks
             from (select count(*) as pools, cast(coalesce(sum(waiting_count), 0) as bigint) as seats
                   from pools where waiting_count > 0 and state in ('waiting', 'provisioning')) as w,
                  (select count(*) as workers, cast(coalesce(sum(slots), 0) as bigint) as slots from workers where connected) as o";
        let rest: Option<LevelRow> = self.row(rest, []).await?;
        let mut levels = rest.map(Levels::from).unwrap_or_default();
        for StateRow { state, count } in states {
            levels.appliances.insert(variant(&state)?, count.unsigned_abs());
        }
        Ok(levels)
    }

    async fn count_flows(&mut self, after: i64, until: i64) -> Result<Vec<(Timestamp, Flows)>> {
        let values: [Value; 2] = [after.into(), until.into()];
        let minute = self.minute("e.happened_at");
        let events = format!(
            "select min(e.happened_at) as moment, e.kind, coalesce(e.state, '') as state, count(*) as count, count(w.id) as failed_workflows
             from events e
             left join workflows w on e.kind = 'step_failed' and w.id = e.workflow_id and w.state = 'failed' and w.finished_at = e.happened_at
             where {COUNTED} group by {minute}, e.kind, coalesce(e.state, '')"
        );
        // What was warm is told by events; of those that had to prove it again, those count that did. Pools that took equally long are one row: those that
        // were served at once, most of all.
        let ready = format!(
            "select min(e.happened_at) as moment, wait_ms, count(*) as pools, cast(sum(wanted) as bigint) as appliances,
                    cast(sum(case when warm > wanted then wanted else warm end) as bigint) as warm
             from (select e.happened_at, p.count as wanted, {} as wait_ms,
                          (select count(*) from events g join appliances a on a.id = g.appliance_id
                           where g.pool_id = p.id and g.kind = 'appliance_granted' and a.leased_at is not null) as warm
                   from events e join pools p on p.id = e.pool_id where {READY}) as e
             group by {minute}, wait_ms",
            self.milliseconds("p.created_at", "p.fulfilled_at")
        );
        let events: Vec<EventRow> = self.rows(&events, values.clone()).await?;
        let ready: Vec<ReadyRow> = self.rows(&ready, values).await?;
        Ok(events.into_iter().map(From::from).chain(ready.into_iter().map(From::from)).collect())
    }

    async fn happened_after(&mut self, sequence: i64) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Happened {
            happened_at: Timestamp,
        }
        let sql = "select happened_at from events where sequence > $1 order by sequence limit 1";
        let first: Option<Happened> = self.row(sql, [sequence.into()]).await?;
        Ok(first.map(|event| event.happened_at))
    }

    async fn first_sample(&mut self) -> Result<Option<Sample>> {
        self.one_sample("order by at", vec![]).await
    }

    async fn last_sample(&mut self, until: Option<Timestamp>) -> Result<Option<Sample>> {
        match until {
            Some(until) => self.one_sample("where at <= $1 order by at desc", vec![self.time(until)]).await,
            None => self.one_sample("order by at desc", vec![]).await,
        }
    }

    async fn samples(&mut self, after: Timestamp, until: Timestamp) -> Result<Vec<Sample>> {
        let sql = "select * from samples where at > $1 and at <= $2 order by at";
        let rows: Vec<Model> = self.rows(sql, [self.time(after), self.time(until)]).await?;
        Ok(rows.into_iter().map(Sample::from).collect())
    }

    async fn old_samples(&mut self, width: Duration, before: Timestamp, most: u64) -> Result<Vec<Sample>> {
        let sql = "select * from samples where seconds = $1 and at <= $2 order by at limit $3";
        let rows: Vec<Model> =
            self.rows(sql, [row::seconds(width).into(), self.time(before), limit(most).into()]).await?;
        Ok(rows.into_iter().map(Sample::from).collect())
    }

    async fn replace_samples(&mut self, gone: &[Timestamp], new: &[Sample]) -> Result<()> {
        if !gone.is_empty() {
            let (list, values) = self.moments(gone);
            self.run(&format!("delete from samples where at {list}"), values).await?;
        }
        let target = format!("samples ({})", row::COLUMNS.join(", "));
        let rows = new.iter().map(|sample| row::values(self, sample)).collect();
        self.insert(&target, rows, "").await?;
        Ok(())
    }
}

impl From<LevelRow> for Levels {
    fn from(row: LevelRow) -> Self {
        let LevelRow { waiting_pools, waiting_seats, warm, workers, slots, running_tasks } = row;
        Self {
            waiting_pools: waiting_pools.unsigned_abs(),
            waiting_seats: waiting_seats.unsigned_abs(),
            warm: warm.unsigned_abs(),
            workers: workers.unsigned_abs(),
            slots: slots.unsigned_abs(),
            running_tasks: running_tasks.unsigned_abs(),
            ..Self::default()
        }
    }
}

impl SeaTx {
    /// A list of moments to compare with, and its parameters.
    fn moments(&self, moments: &[Timestamp]) -> (String, Vec<Value>) {
        let numbers: Vec<_> = (1..=moments.len()).map(|number| format!("${number}")).collect();
        (format!("in ({})", numbers.join(", ")), moments.iter().map(|at| self.time(*at)).collect())
    }
}
