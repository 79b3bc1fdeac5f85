//! One transaction, and the few words in which statements differ between the two databases.

use std::{
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value};
use sprout_app::ports::Tx;
use sprout_domain::{Error, Result, Timestamp};

use crate::{
    error::from_db,
    postgres,
    pulse::{Pulse, while_it_answers},
    simulation::{Moment, Simulation, bounded, pass},
};

/// Parameters of one statement. SQLite takes 32,766, PostgreSQL 65,535; but SQLite looks each `$n` up among all others by name, and
/// nobody can stop it while it does, so statements stay well below that.
const MAX_PARAMETERS: usize = 8_000;

/// Transactions that this process committed.
static COMMITS: AtomicU64 = AtomicU64::new(0);

/// How many transactions this process committed.
pub(crate) fn commits() -> u64 {
    COMMITS.load(Ordering::Relaxed)
}

/// The moments that both databases can hold.
static EARLIEST: LazyLock<Timestamp> = LazyLock::new(|| moment("0001-01-01T00:00:00Z"));
static LATEST: LazyLock<Timestamp> = LazyLock::new(|| moment("9999-12-31T23:59:59.999999Z"));

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A transaction under way on one of the databases.
pub(crate) enum Begun {
    /// On PostgreSQL.
    Postgres(postgres::Transaction),
    /// On SQLite.
    Sqlite(DatabaseTransaction),
}

impl Begun {
    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Postgres(transaction) => transaction.rows(sql, values).await,
            Self::Sqlite(transaction) => transaction.query_all_raw(statement(sql, values)).await,
        }
    }

    async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        match self {
            Self::Postgres(transaction) => transaction.run(sql, values).await,
            Self::Sqlite(transaction) => Ok(transaction.execute_raw(statement(sql, values)).await?.rows_affected()),
        }
    }

    async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Postgres(transaction) => transaction.commit().await,
            Self::Sqlite(transaction) => transaction.commit().await,
        }
    }

    async fn rollback(self) {
        match self {
            Self::Postgres(transaction) => transaction.rollback().await,
            Self::Sqlite(transaction) => {
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "a transaction was not rolled back cleanly");
                }
            }
        }
    }
}

fn statement(sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// A transaction on either database. Dropped without a commit, it is rolled back.
pub(crate) struct SeaTx {
    /// Taken out when it ends.
    transaction: Option<Begun>,
    on_postgres: bool,
    /// See [`Tx::now`].
    pub(crate) now: Timestamp,
    deadline: Duration,
    simulation: Option<Arc<dyn Simulation>>,
    pulse: Option<Arc<Pulse>>,
}

impl SeaTx {
    /// Takes over a transaction that has just begun, and what the database's clock showed then.
    pub(crate) fn begun(
        transaction: Begun,
        now: Timestamp,
        deadline: Duration,
        simulation: Option<Arc<dyn Simulation>>,
        pulse: Option<Arc<Pulse>>,
    ) -> Self {
        let now = simulation.as_ref().map_or(now, |simulation| simulation.now());
        let on_postgres = matches!(transaction, Begun::Postgres(_));
        Self { transaction: Some(transaction), on_postgres, now, deadline, simulation, pulse }
    }

    /// Whether statements need the words of PostgreSQL.
    pub(crate) fn on_postgres(&self) -> bool {
        self.on_postgres
    }

    /// A moment as a parameter. SQLite compares moments as text, so there they all have the same width.
    pub(crate) fn time(&self, time: Timestamp) -> Value {
        let time = time.clamp(*EARLIEST, *LATEST);
        if self.on_postgres() { time.into() } else { time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string().into() }
    }

    /// [`Self::time`] of a moment that may be missing.
    pub(crate) fn optional_time(&self, time: Option<Timestamp>) -> Value {
        match time {
            Some(time) => self.time(time),
            None if self.on_postgres() => Value::ChronoDateTimeUtc(None),
            None => Value::String(None),
        }
    }

    /// The condition that a column is in the list given as this parameter: one parameter, however long the list.
    pub(crate) fn among(&self, parameter: usize) -> String {
        if self.on_postgres() {
            format!("= any(${parameter})")
        } else {
            format!("in (select value from json_each(${parameter}))")
        }
    }

    /// A list of numbers for [`Self::among`].
    pub(crate) fn numbers(&self, numbers: impl IntoIterator<Item = i64>) -> Value {
        let numbers: Vec<i64> = numbers.into_iter().collect();
        if self.on_postgres() { numbers.into() } else { json(numbers) }
    }

    /// A list of texts for [`Self::among`].
    pub(crate) fn texts<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Value {
        let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        if self.on_postgres() { texts.into() } else { json(texts) }
    }

    /// Ends a select whose rows are locked; on SQLite a writer is alone anyway. Foreign keys to the rows are not held up.
    pub(crate) fn locked(&self) -> &'static str {
        if self.on_postgres() { " for no key update" } else { "" }
    }

    /// As [`Self::locked`], without rows that are locked already.
    pub(crate) fn locked_skipping(&self) -> &'static str {
        if self.on_postgres() { " for no key update skip locked" } else { "" }
    }

    /// The rows of a query.
    pub(crate) async fn rows<M: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<M>> {
        let rows = self.bounded(self.open()?.rows(sql, values.into_iter().collect())).await?;
        rows.iter().map(|row| M::from_query_result(row, "")).collect::<Result<_, _>>().map_err(from_db)
    }

    /// The only row of a query, if there is one.
    pub(crate) async fn row<M: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Option<M>> {
        let rows = self.bounded(self.open()?.rows(sql, values.into_iter().collect())).await?;
        rows.first().map(|row| M::from_query_result(row, "")).transpose().map_err(from_db)
    }

    /// Runs a statement; returns how many rows it wrote.
    pub(crate) async fn run(&self, sql: &str, values: impl IntoIterator<Item = Value> + Send) -> Result<u64> {
        self.bounded(self.open()?.run(sql, values.into_iter().collect())).await
    }

    /// Sets columns of the rows with these ids.
    pub(crate) async fn update(
        &self,
        table: &str,
        mut set: Clauses,
        ids: impl IntoIterator<Item = i64> + Send,
    ) -> Result<()> {
        set.values.push(self.numbers(ids));
        let sql = format!("update {table} set {} where id {}", set.assignments(), self.among(set.values.len()));
        self.run(&sql, set.values).await?;
        Ok(())
    }

    /// Inserts rows into `target`, "table (columns)", in as few statements as parameters allow; `rest` follows the values. Returns how many were written.
    pub(crate) async fn insert(&self, target: &str, rows: Vec<Vec<Value>>, rest: &str) -> Result<u64> {
        let mut written = 0;
        for (sql, values) in self.inserts(target, rows, rest) {
            written += self.run(&sql, values).await?;
        }
        Ok(written)
    }

    /// As [`Self::insert`] with a `rest` that returns rows, in whatever order.
    pub(crate) async fn insert_returning<M: FromQueryResult>(
        &self,
        target: &str,
        rows: Vec<Vec<Value>>,
        rest: &str,
    ) -> Result<Vec<M>> {
        let mut written = Vec::with_capacity(rows.len());
        for (sql, values) in self.inserts(target, rows, rest) {
            written.extend(self.rows(&sql, values).await?);
        }
        Ok(written)
    }

    /// Statements that together insert all rows. On PostgreSQL several rows are given as columns: one statement that is prepared once.
    fn inserts(&self, target: &str, rows: Vec<Vec<Value>>, rest: &str) -> Vec<(String, Vec<Value>)> {
        if self.on_postgres()
            && rows.len() > 1
            && let Some((given, columns)) = postgres::as_columns(1, &rows)
        {
            return vec![(format!("insert into {target} {given} {rest}"), columns)];
        }
        inserts(target, rows, rest)
    }

    /// The server cancels what takes too long; this is for a server that went silent.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T> {
        pass(self.simulation.as_deref(), Moment::Statement).await?;
        while_it_answers(self.pulse.as_ref(), bounded(self.simulation.as_deref(), self.deadline, work)).await
    }

    fn open(&self) -> Result<&Begun> {
        self.transaction.as_ref().ok_or_else(|| Error::internal("a statement after the end of its transaction"))
    }
}

/// In a simulation the rollback is over at once too, and the connection goes back to where it came from.
impl Drop for SeaTx {
    fn drop(&mut self) {
        if let (Some(simulation), Some(transaction)) = (&self.simulation, self.transaction.take()) {
            simulation.drive(pin!(transaction.rollback()));
        }
    }
}

#[async_trait]
impl Tx for SeaTx {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let simulation = self.simulation.clone();
        pass(simulation.as_deref(), Moment::Commit).await?;
        let Some(transaction) = self.transaction.take() else {
            return Err(Error::internal("a second end of one transaction"));
        };
        let commit = bounded(simulation.as_deref(), self.deadline, transaction.commit());
        while_it_answers(self.pulse.as_ref(), commit).await?;
        COMMITS.fetch_add(1, Ordering::Relaxed);
        pass(simulation.as_deref(), Moment::Committed).await
    }
}

fn json(list: impl Into<serde_json::Value>) -> Value {
    list.into().to_string().into()
}

/// Statements that together insert all rows, with numbered parameters.
fn inserts(target: &str, rows: Vec<Vec<Value>>, rest: &str) -> Vec<(String, Vec<Value>)> {
    let width = rows.first().map_or(1, Vec::len);
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let values: Vec<Value> = rows.by_ref().take(MAX_PARAMETERS / width).flatten().collect();
        let numbers: Vec<String> = (1..=values.len()).map(|number| format!("${number}")).collect();
        let tuples: Vec<String> = numbers.chunks(width).map(|tuple| format!("({})", tuple.join(", "))).collect();
        statements.push((format!("insert into {target} values {} {rest}", tuples.join(", ")), values));
    }
    statements
}

/// Parts of a statement that depend on what is asked, each with its parameter: conditions or assignments.
#[derive(Default)]
pub(crate) struct Clauses {
    clauses: Vec<String>,
    /// Parameters so far.
    pub(crate) values: Vec<Value>,
}

impl Clauses {
    /// A clause without a parameter.
    pub(crate) fn plain(&mut self, clause: impl Into<String>) {
        self.clauses.push(clause.into());
    }

    /// A clause with the parameter wherever it says `?`.
    pub(crate) fn add(&mut self, clause: &str, value: impl Into<Value>) {
        let parameter = self.parameter(value);
        self.clauses.push(clause.replace('?', &parameter));
    }

    /// The condition that a column is in a list made for [`SeaTx::among`].
    pub(crate) fn among(&mut self, tx: &SeaTx, column: &str, list: Value) {
        self.values.push(list);
        self.clauses.push(format!("{column} {}", tx.among(self.values.len())));
    }

    /// Adds a parameter; returns its number, for [`SeaTx::among`].
    pub(crate) fn parameter_of(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    /// Adds a parameter; returns its name.
    pub(crate) fn parameter(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// All as conditions.
    pub(crate) fn conditions(&self) -> String {
        if self.clauses.is_empty() { "true".to_owned() } else { self.clauses.join(" and ") }
    }

    /// All as assignments.
    pub(crate) fn assignments(&self) -> String {
        self.clauses.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_become_few_statements_with_numbered_parameters() {
        let row = |n: i64| vec![Value::from(n), Value::from("x")];
        let made = inserts("t (a, b)", vec![row(1), row(2)], "returning a");
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].0, "insert into t (a, b) values ($1, $2), ($3, $4) returning a");
        let made = inserts("t (a, b)", (0..10_000).map(row).collect(), "");
        assert_eq!(made.iter().map(|(_, values)| values.len()).collect::<Vec<_>>(), [8_000, 8_000, 4_000]);
        assert!(inserts("t (a)", vec![], "").is_empty());
    }

    #[test]
    fn the_bounds_of_time_parse() {
        assert!(*EARLIEST < Timestamp::UNIX_EPOCH && Timestamp::UNIX_EPOCH < *LATEST);
    }
}
