//! Tasks, from being given out to their end. What happens to many at once is one statement.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use serde_json::json;
use sprout_app::{
    TaskKey,
    ports::{ApplianceChange, Claim, Claimed, HandOn, Progress, TaskChange, TaskRows},
};
use sprout_domain::{
    ApplianceId, Result, TaskId, Timestamp, WorkerId, lease,
    workflow::{Task, TaskState},
};

use crate::{
    convert::{Named, limit},
    entities::task::Model,
    tx::{Clauses, SeaTx},
    workflow::tasks,
};

/// One column of a table made of parameters.
pub(crate) enum Column {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

impl SeaTx {
    /// A query over rows given as parameters, which are numbered from `first` on: columns of equal length, however many rows.
    pub(crate) fn table(&self, first: usize, columns: Vec<(&str, Column)>) -> (String, Vec<Value>) {
        if self.on_postgres() {
            let (mut arrays, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for (index, (name, column)) in columns.into_iter().enumerate() {
                let (of, value) = match column {
                    Column::Numbers(numbers) => ("bigint", numbers.into()),
                    Column::Texts(texts) => ("text", texts.into()),
                };
                arrays.push(format!("${}::{of}[]", first + index));
                names.push(name);
                values.push(value);
            }
            return (format!("select * from unnest({}) as given ({})", arrays.join(", "), names.join(", ")), values);
        }
        let names: Vec<_> =
            columns.iter().enumerate().map(|(index, (name, _))| format!("value ->> {index} as {name}")).collect();
        let rows = columns.iter().map(|(_, column)| column.len()).max().unwrap_or_default();
        let row = |row: usize| columns.iter().map(|(_, column)| column.json(row)).collect::<Vec<_>>();
        let rows = serde_json::Value::from((0..rows).map(row).collect::<Vec<_>>());
        (format!("select {} from json_each(${first})", names.join(", ")), vec![rows.to_string().into()])
    }

    /// A moment as a text that [`Self::to_moment`] reads.
    pub(crate) fn moment(&self, time: Timestamp) -> String {
        match self.time(time) {
            Value::String(Some(text)) => text,
            _ => time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        }
    }

    /// The expression that makes a moment of a text.
    pub(crate) fn to_moment(&self, text: &str) -> String {
        if self.on_postgres() { format!("{text}::timestamptz") } else { text.to_owned() }
    }

    /// The assignments by which a task is given to `holder`, to be heard of by `heard_by`; `$1` is now.
    pub(crate) fn begins(&self) -> String {
        format!(
            "state = 'running', worker = holder, epoch = epoch + 1, attempt = attempt + 1, started_at = $1, progress_at = $1,
             silent_until = {}, stalled = {}, stop_asked_at = null, status = ''",
            self.to_moment("heard_by"),
            self.no()
        )
    }

    /// False, which SQLite knows as a number.
    pub(crate) fn no(&self) -> &'static str {
        if self.on_postgres() { "false" } else { "0" }
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Numbers(numbers) => numbers.get(row).copied().into(),
            Self::Texts(texts) => texts.get(row).map(String::as_str).into(),
        }
    }
}

fn ids(ids: &[TaskId]) -> impl Iterator<Item = i64> + Send {
    ids.iter().map(|id| id.0)
}

#[async_trait]
impl TaskRows for SeaTx {
    async fn claim_tasks(&mut self, claim: &Claim) -> Result<Claimed> {
        self.claim(claim).await
    }

    async fn hand_on(&mut self, next: &[HandOn]) -> Result<Vec<Task>> {
        if next.is_empty() {
            return Ok(Vec::new());
        }
        let (given, mut values) = self.table(
            2,
            vec![
                ("mine", Column::Numbers(next.iter().map(|next| next.workflow.0).collect())),
                ("place", Column::Numbers(next.iter().map(|next| i64::from(next.position)).collect())),
                ("holder", Column::Texts(next.iter().map(|next| next.to.0.clone()).collect())),
                ("heard_by", Column::Texts(next.iter().map(|n| self.moment(lease::end(self.now, n.limit))).collect())),
            ],
        );
        values.insert(0, self.time(self.now));
        let sql = format!(
            "update tasks set due_at = $1, {} from ({given}) as given
             where workflow_id = given.mine and position = given.place and state = 'blocked' returning *",
            self.begins()
        );
        let mut begun: Vec<Model> = self.rows(&sql, values).await?;
        begun.sort_by_key(|row| row.id);
        tasks(begun)
    }

    async fn lock_tasks(&mut self, list: &[TaskId]) -> Result<Vec<Task>> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("select * from tasks where id {} order by id{}", self.among(1), self.locked());
        tasks(self.rows(&sql, [self.numbers(ids(list))]).await?)
    }

    async fn change_tasks(&mut self, list: &[TaskId], change: &TaskChange) -> Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        let mut set = Clauses::default();
        set.add("state = ?", change.state.name());
        set.add("error = ?", change.error.as_str());
        set.plain(format!("stalled = {}", self.no()));
        set.plain("stop_asked_at = null");
        if change.state.is_final() {
            set.add("finished_at = ?", self.time(self.now));
        } else {
            set.add("due_at = ?", self.time(lease::end(self.now, change.due_in)));
        }
        if change.uncount_attempt {
            set.plain("attempt = case when attempt > 0 then attempt - 1 else 0 end");
        }
        debug_assert_ne!(change.state, TaskState::Running, "only a claim makes a task run");
        self.update("tasks", set, ids(list)).await
    }

    async fn hurry_tasks(&mut self, list: &[TaskId]) -> Result<()> {
        let sql = format!("update tasks set due_at = $1 where state = 'retrying' and id {}", self.among(2));
        self.run(&sql, [self.time(self.now), self.numbers(ids(list))]).await?;
        Ok(())
    }

    async fn change_each_appliance(&mut self, changes: &[(ApplianceId, ApplianceChange)]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let row = |(id, change): &(ApplianceId, ApplianceChange)| {
            json!({
                "id": id.0,
                "state": change.state.map(Named::name),
                "power": change.power.map(Named::name),
                "address": change.address,
                "provider_ref": change.provider_ref,
                "console_url": change.console_url,
                "unconfirmed": change.clone_unconfirmed,
                "status": change.status,
            })
        };
        let rows = serde_json::Value::from(changes.iter().map(row).collect::<Vec<_>>()).to_string();
        let (given, now) = if self.on_postgres() {
            let columns = "id bigint, state text, power text, address text, provider_ref text, console_url text, unconfirmed boolean, \
                 status text";
            (format!("select * from json_to_recordset($1::json) as given ({columns})"), "$2::timestamptz")
        } else {
            let columns = ["id", "state", "power", "address", "provider_ref", "console_url", "unconfirmed", "status"];
            let columns = columns.map(|name| format!("value ->> '{name}' as {name}"));
            (format!("select {} from json_each($1)", columns.join(", ")), "$2")
        };
        let sql = format!(
            "update appliances set
                 state = coalesce(new.state, appliances.state), power = coalesce(new.power, appliances.power),
                 address = coalesce(new.address, appliances.address),
                 provider_ref = coalesce(new.provider_ref, appliances.provider_ref),
                 console_url = coalesce(new.console_url, appliances.console_url),
                 clone_unconfirmed = coalesce(new.unconfirmed, appliances.clone_unconfirmed),
                 status = coalesce(new.status, appliances.status),
                 status_changed_at = case when new.status is null then appliances.status_changed_at else {now} end,
                 ready_at = case when new.state = 'ready' then coalesce(appliances.ready_at, {now}) else appliances.ready_at end,
                 proven_at = case when new.state = 'ready' then {now} else appliances.proven_at end,
                 failed_at = case when new.state = 'failed' then {now} else appliances.failed_at end,
                 gone_at = case when new.state = 'gone' then {now} else appliances.gone_at end,
                 changed_at = {now}
             from ({given}) as new where appliances.id = new.id"
        );
        self.run(&sql, [rows.into(), self.time(self.now)]).await?;
        let with_endpoints: Vec<_> =
            changes.iter().filter_map(|(id, change)| Some((*id, change.endpoints.as_deref()?))).collect();
        self.replace_endpoints_of(&with_endpoints).await
    }

    async fn note_progress(&mut self, progress: &[Progress]) -> Result<Vec<TaskId>> {
        #[derive(FromQueryResult)]
        struct Noted {
            id: i64,
        }
        if progress.is_empty() {
            return Ok(Vec::new());
        }
        if self.on_postgres() {
            let sql = "select id from tasks where id = any($1) order by id for no key update";
            let _: Vec<Noted> = self.rows(sql, [self.numbers(progress.iter().map(|p| p.task.id.0))]).await?;
        }
        let (given, mut values) = self.table(
            2,
            vec![
                ("task", Column::Numbers(progress.iter().map(|p| p.task.id.0).collect())),
                ("task_epoch", Column::Numbers(progress.iter().map(|p| p.task.epoch).collect())),
                ("says", Column::Texts(progress.iter().map(|p| p.status.clone()).collect())),
                (
                    "heard_by",
                    Column::Texts(progress.iter().map(|p| self.moment(lease::end(self.now, p.limit))).collect()),
                ),
            ],
        );
        values.insert(0, self.time(self.now));
        let sql = format!(
            "update tasks set progress_at = $1, silent_until = {}, status = case when says = '' then status else says end
             from ({given}) as given where id = task and epoch = task_epoch and state = 'running' returning id",
            self.to_moment("heard_by")
        );
        let noted: Vec<Noted> = self.rows(&sql, values).await?;
        Ok(noted.into_iter().map(|row| TaskId(row.id)).collect())
    }

    async fn tasks_of_worker(&mut self, worker: &WorkerId) -> Result<Vec<Task>> {
        let sql = format!("select * from tasks where worker = $1 and state = 'running' order by id{}", self.locked());
        tasks(self.rows(&sql, [worker.0.as_str().into()]).await?)
    }

    async fn tasks_to_cancel(&mut self, workers: &[WorkerId]) -> Result<Vec<Task>> {
        let sql = format!(
            "select * from tasks where worker {} and state = 'running' and stop_asked_at is not null order by id",
            self.among(1)
        );
        tasks(self.rows(&sql, [self.texts(workers.iter().map(|id| &*id.0))]).await?)
    }

    async fn current(&mut self, keys: &[TaskKey]) -> Result<Vec<(TaskKey, WorkerId)>> {
        #[derive(FromQueryResult)]
        struct Current {
            id: i64,
            epoch: i64,
            worker: String,
        }
        let sql = format!("select id, epoch, worker from tasks where state = 'running' and id {}", self.among(1));
        let rows: Vec<Current> = self.rows(&sql, [self.numbers(keys.iter().map(|key| key.id.0))]).await?;
        let current =
            rows.into_iter().map(|row| (TaskKey { id: TaskId(row.id), epoch: row.epoch }, WorkerId(row.worker)));
        Ok(current.filter(|(key, _)| keys.contains(key)).collect())
    }

    async fn stop_tasks(&mut self, list: &[TaskId], error: &str) -> Result<()> {
        let yes = if self.on_postgres() { "true" } else { "1" };
        let sql = format!(
            "update tasks set stalled = {yes}, stop_asked_at = $1, error = $2
             where state = 'running' and stop_asked_at is null and id {}",
            self.among(3)
        );
        self.run(&sql, [self.time(self.now), error.into(), self.numbers(ids(list))]).await?;
        Ok(())
    }

    async fn silent_tasks(&mut self, rows: u64) -> Result<Vec<Task>> {
        let sql = format!(
            "select * from tasks where state = 'running' and stop_asked_at is null and silent_until <= $1
             order by silent_until limit $2{}",
            self.locked_skipping()
        );
        tasks(self.rows(&sql, [self.time(self.now), limit(rows).into()]).await?)
    }

    async fn unanswered_tasks(&mut self, told_for: Duration, rows: u64) -> Result<Vec<Task>> {
        let sql = "select * from tasks where state = 'running' and stop_asked_at is not null and stop_asked_at <= $1
                   order by stop_asked_at limit $2";
        tasks(self.rows(sql, [self.time(lease::begin(self.now, told_for)), limit(rows).into()]).await?)
    }

    async fn next_stop(&mut self, told_for: Duration) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Next {
            silent_until: Option<Timestamp>,
            stop_asked_at: Option<Timestamp>,
        }
        let sql = "select (select min(silent_until) from tasks where state = 'running' and stop_asked_at is null) as silent_until,
                          (select min(stop_asked_at) from tasks where state = 'running' and stop_asked_at is not null) as stop_asked_at";
        let next: Option<Next> = self.row(sql, []).await?;
        let Some(Next { silent_until, stop_asked_at }) = next else { return Ok(None) };
        Ok(silent_until.into_iter().chain(stop_asked_at.map(|at| lease::end(at, told_for))).min())
    }
}
