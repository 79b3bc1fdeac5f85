//! What a failing database means to the caller: come back later with a sentence on what to do, or a defect.

use sea_orm::{DbErr, RuntimeErr, sqlx};
use sprout_domain::{Error, Reason};

/// What is the matter with a database that cannot be used.
const GONE: &str = "the database cannot be reached; check that it runs, then try again";
const BUSY: &str = "the database is too busy to answer in time; try again in a moment";
const FULL: &str = "the disk of the database is full; free some space there, then try again";
const READ_ONLY: &str = "the database cannot be written to; make it writable, then try again";
const DAMAGED: &str = "the database cannot be read; check its disk, or restore the last backup";
const ACCESS: &str = "the database refuses the server; correct user, password and database name in the database URL";

/// The database cannot be used; `sentence` says what to do.
pub(crate) fn unavailable(sentence: impl Into<String>) -> Error {
    Error::new(Reason::DatabaseUnavailable, sentence)
}

/// The database is not there.
pub(crate) fn gone() -> Error {
    unavailable(GONE)
}

/// The database did not answer in time.
pub(crate) fn late() -> Error {
    unavailable(BUSY).because("a statement did not end in time")
}

/// The domain's error for a failure of the database layer.
pub(crate) fn from_db(error: DbErr) -> Error {
    match &error {
        DbErr::ConnectionAcquire(_) => unavailable(BUSY).because(&error),
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => from_sqlx(cause),
        _ => Error::internal(&error),
    }
}

/// The domain's error for a failure of the driver below it.
pub(crate) fn from_sqlx(error: &sqlx::Error) -> Error {
    if let sqlx::Error::Database(refusal) = error
        && refusal.code().is_some_and(|code| is_conflict(&code))
    {
        return Error::new(Reason::Conflict, BUSY).because(error);
    }
    let sentence = match error {
        // A protocol that breaks is a connection that was cut in the middle of a word, or not to PostgreSQL.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Some(GONE),
        sqlx::Error::PoolTimedOut => Some(BUSY),
        sqlx::Error::Database(refusal) => refusal.code().and_then(|code| meaning(&code)),
        _ => None,
    };
    match sentence {
        Some(sentence) => unavailable(sentence).because(error),
        None => Error::internal(error),
    }
}

/// Two transactions stood in each other's way, and the database undid this one: serialization failure, deadlock, and on SQLite a snapshot that is
/// too old to write.
fn is_conflict(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "517")
}

/// The sentence for an error code that is about the database and not about us: an SQLSTATE has five characters, SQLite's codes have fewer.
fn meaning(code: &str) -> Option<&'static str> {
    if code.len() == 5 {
        return match code {
            "53100" => Some(FULL),
            "25006" => Some(READ_ONLY),
            "57014" | "55P03" | "53300" | "53200" | "53000" | "25P03" | "25P04" => Some(BUSY),
            "3D000" => Some(ACCESS),
            "58030" | "58000" | "XX001" | "XX002" => Some(DAMAGED),
            _ if code.starts_with("08") || code.starts_with("57P") => Some(GONE),
            _ if code.starts_with("28") => Some(ACCESS),
            _ => None,
        };
    }
    // The low byte is the code, the rest refines it: https://www.sqlite.org/rescode.html
    match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => Some(BUSY),
        8 | 3 => Some(READ_ONLY),
        10 | 11 | 26 => Some(DAMAGED),
        13 => Some(FULL),
        14 => Some(GONE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases() {
        assert_eq!(meaning("53100"), Some(FULL));
        assert_eq!(meaning("13"), Some(FULL));
        assert_eq!(meaning("57P01"), Some(GONE));
        assert_eq!(meaning("28P01"), Some(ACCESS));
        assert_eq!(meaning("1032"), Some(READ_ONLY)); // SQLITE_READONLY_DBMOVED
        for conflict in ["40001", "40P01", "517"] {
            assert!(is_conflict(conflict), "{conflict}"); // the last: SQLITE_BUSY_SNAPSHOT
        }
        for defect in ["23505", "42P01", "22001", "1", "19", "2067"] {
            assert_eq!(meaning(defect), None, "{defect}");
        }
    }
}
