//! The SQLite file before SQLite sees it: made with an owner only, and refused with the reason the system gives, which SQLite would not tell.

use std::{
    io::{Error as IoError, ErrorKind},
    path::Path,
};

use sprout_domain::{Error, Result};
use tokio::fs::OpenOptions;

use crate::error::unavailable;

/// Checks that the file can be written; makes it if `create`. Returns whether it was made.
pub(crate) async fn prepare(file: &Path, create: bool) -> Result<bool> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(file).await {
        Ok(opened) => {
            let kind = opened.metadata().await.map_err(|error| refused(file, &error))?;
            if kind.is_file() { Ok(false) } else { Err(refused(file, &IoError::from(ErrorKind::IsADirectory))) }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && create => {
            // What is in it is for the server alone: password hashes and token hashes.
            options.create(true).mode(0o600).open(file).await.map_err(|error| refused(file, &error))?;
            Ok(true)
        }
        Err(error) => Err(refused(file, &error)),
    }
}

/// Removes a file that [`prepare`] made and what SQLite put beside it, after nothing came of it.
pub(crate) async fn discard(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        if let Err(error) = tokio::fs::remove_file(&name).await
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(file = %name.display(), %error, "a file of a database that could not be made is left");
        }
    }
}

fn refused(file: &Path, error: &IoError) -> Error {
    let name = file.display();
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let sentence = match error.kind() {
        ErrorKind::NotFound if directory.is_dir() => {
            format!("there is no database {name}; run: sprout-server migrate, with the same configuration")
        }
        ErrorKind::NotFound => {
            format!("there is no directory {} for the database {name}; create it", directory.display())
        }
        ErrorKind::NotADirectory => {
            format!("the database {name} cannot be below a file; name a file in a directory")
        }
        ErrorKind::IsADirectory => format!("the database {name} is not a file; name a file in a directory"),
        ErrorKind::PermissionDenied => {
            format!("the database {name} cannot be written; give the server's user the right to read and write it")
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("the database {name} is on a read-only file system; name a file on another one")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("the disk of the database {name} is full; free some space there, then try again")
        }
        _ => format!("the database {name} cannot be opened: {error}; name a file that the server can write"),
    };
    unavailable(sentence).because(error)
}
