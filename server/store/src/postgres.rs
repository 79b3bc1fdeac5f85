//! A transaction on PostgreSQL, spoken to in as few round trips as there can be: each costs more than what most statements do.
//!
//! It begins, says how it isolates and reads the clock in one of them, where the layer above takes two to four; and it neither copies parameters nor
//! takes a task of its own.

use std::time::Duration;

use sea_orm::{
    DbErr, QueryResult, RuntimeErr, Value,
    sea_query::ArrayType,
    sqlx::{
        self, Arguments as _, PgPool, Postgres,
        pool::PoolConnection,
        postgres::{PgArguments, PgQueryResult, PgRow},
    },
};
use sprout_domain::Timestamp;
use tokio::{runtime::Handle, sync::Mutex, time::timeout};

/// A transaction that reads and writes.
pub(crate) const WRITE: &str = "begin; select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)";
/// A transaction that sees one moment.
pub(crate) const READ: &str = "begin isolation level repeatable read read only;
    select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)";

/// Begun, and neither committed nor undone. Dropped, it is undone.
pub(crate) struct Transaction {
    open: Mutex<Open>,
}

/// Whatever may be the matter with the connection when it is dropped, it is undone before somebody else gets it, or closed.
struct Open {
    connection: Option<PoolConnection<Postgres>>,
    deadline: Duration,
}

impl Open {
    fn connection(&mut self) -> Result<&mut sqlx::PgConnection, DbErr> {
        let ended = || DbErr::Custom("a statement after the end of its transaction".to_owned());
        self.connection.as_deref_mut().ok_or_else(ended)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(here) => drop(here.spawn(undo(connection, self.deadline))),
            Err(_) => connection.close_on_drop(),
        }
    }
}

/// Takes back what was done. A connection on which that is impossible is closed, and PostgreSQL does it.
async fn undo(mut connection: PoolConnection<Postgres>, deadline: Duration) {
    let undone = timeout(deadline, sqlx::raw_sql("rollback").execute(&mut *connection)).await;
    if !matches!(undone, Ok(Ok(_))) {
        tracing::debug!("a transaction was not rolled back cleanly; its connection is closed");
        connection.close_on_drop();
    }
}

impl Transaction {
    /// Begins as [`WRITE`] or [`READ`] says; returns what the database's clock shows. Given up half-way, it is undone.
    pub(crate) async fn begin(
        pool: &PgPool,
        how: &'static str,
        deadline: Duration,
    ) -> Result<(Self, Timestamp), DbErr> {
        let connection = pool.acquire().await.map_err(failed)?;
        let mut open = Open { connection: Some(connection), deadline };
        let row = sqlx::raw_sql(how).fetch_one(open.connection()?).await.map_err(failed)?;
        let micros: i64 = sqlx::Row::try_get(&row, 0).map_err(failed)?;
        let now = Timestamp::from_timestamp_micros(micros);
        let now = now.ok_or_else(|| DbErr::Custom("the database's clock shows no time".to_owned()))?;
        Ok((Self { open: Mutex::new(open) }, now))
    }

    /// The rows of a query.
    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments(values)?);
        let mut open = self.open.lock().await;
        let rows: Vec<PgRow> = query.fetch_all(open.connection()?).await.map_err(failed)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Runs a statement; returns how many rows it wrote.
    pub(crate) async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments(values)?);
        let mut open = self.open.lock().await;
        let done: PgQueryResult = query.execute(open.connection()?).await.map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// Keeps what was done.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let mut open = self.open.into_inner();
        sqlx::raw_sql("commit").execute(open.connection()?).await.map_err(failed)?;
        open.connection = None;
        Ok(())
    }

    /// Takes back what was done, and waits for it.
    pub(crate) async fn rollback(self) {
        let mut open = self.open.into_inner();
        if let Some(connection) = open.connection.take() {
            undo(connection, open.deadline).await;
        }
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// Rows as columns: the query that makes rows of them again, with parameters numbered from `first` on. Its text is the same however many rows there
/// are, so that it is prepared once. None: a column has several types, or one that is not known here.
pub(crate) fn as_columns(first: usize, rows: &[Vec<Value>]) -> Option<(String, Vec<Value>)> {
    let mut arrays = Vec::new();
    let mut columns = Vec::new();
    for index in 0..rows.first()?.len() {
        let (kind, name) = array_of(&rows[0][index])?;
        let column: Vec<Value> = rows.iter().map(|row| row[index].clone()).collect();
        if !column.iter().all(|value| array_of(value).is_some_and(|(_, other)| other == name)) {
            return None;
        }
        arrays.push(format!("${}::{name}[]", first + index));
        columns.push(Value::Array(kind, Some(Box::new(column))));
    }
    Some((format!("select * from unnest({})", arrays.join(", ")), columns))
}

fn array_of(value: &Value) -> Option<(ArrayType, &'static str)> {
    Some(match value {
        Value::Bool(_) => (ArrayType::Bool, "bool"),
        Value::SmallInt(_) => (ArrayType::SmallInt, "int2"),
        Value::Int(_) => (ArrayType::Int, "int4"),
        Value::BigInt(_) => (ArrayType::BigInt, "int8"),
        Value::String(_) => (ArrayType::String, "text"),
        Value::ChronoDate(_) => (ArrayType::ChronoDate, "date"),
        Value::ChronoDateTimeUtc(_) => (ArrayType::ChronoDateTimeUtc, "timestamptz"),
        _ => return None,
    })
}

fn arguments(values: Vec<Value>) -> Result<PgArguments, DbErr> {
    let mut arguments = PgArguments::default();
    for value in values {
        add(&mut arguments, value)?;
    }
    Ok(arguments)
}

/// Adds a parameter of one of the types that the store has.
fn add(to: &mut PgArguments, value: Value) -> Result<(), DbErr> {
    let added = match value {
        Value::Bool(value) => to.add(value),
        Value::SmallInt(value) => to.add(value),
        Value::Int(value) => to.add(value),
        Value::BigInt(value) => to.add(value),
        Value::Double(value) => to.add(value),
        Value::String(value) => to.add(value),
        Value::Bytes(value) => to.add(value),
        Value::ChronoDate(value) => to.add(value),
        Value::ChronoDateTimeUtc(value) => to.add(value),
        Value::Array(kind, Some(values)) => return add_array(to, &kind, *values),
        other => return Err(unknown(&other)),
    };
    added.map_err(|error| DbErr::Custom(error.to_string()))
}

fn add_array(to: &mut PgArguments, kind: &ArrayType, values: Vec<Value>) -> Result<(), DbErr> {
    macro_rules! all {
        ($variant:ident) => {{
            let one = |value| match value {
                Value::$variant(value) => Ok(value),
                other => Err(unknown(&other)),
            };
            let all: Vec<_> = values.into_iter().map(one).collect::<Result<_, _>>()?;
            to.add(all)
        }};
    }
    let added = match kind {
        ArrayType::Bool => all!(Bool),
        ArrayType::SmallInt => all!(SmallInt),
        ArrayType::Int => all!(Int),
        ArrayType::BigInt => all!(BigInt),
        ArrayType::String => all!(String),
        ArrayType::ChronoDate => all!(ChronoDate),
        ArrayType::ChronoDateTimeUtc => all!(ChronoDateTimeUtc),
        other => return Err(DbErr::Custom(format!("the store has no arrays of {other:?}"))),
    };
    added.map_err(|error| DbErr::Custom(error.to_string()))
}

fn unknown(value: &Value) -> DbErr {
    DbErr::Custom(format!("the store has no parameters such as {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_with_a_text_that_does_not_depend_on_their_number() {
        let row = |n: i64| vec![Value::from(n), Value::String(None), Value::from(true)];
        let (few, values) = as_columns(2, &[row(1), row(2)]).unwrap();
        assert_eq!(few, "select * from unnest($2::int8[], $3::text[], $4::bool[])");
        assert_eq!(values.len(), 3);
        assert_eq!(as_columns(2, &(0..100).map(row).collect::<Vec<_>>()).unwrap().0, few);
        assert!(as_columns(1, &[vec![1_i64.into()], vec!["x".into()]]).is_none());
        assert!(as_columns(1, &[]).is_none());
        assert!(arguments(values).is_ok());
    }
}
