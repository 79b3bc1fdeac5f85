//! The SQLite file as the system sees it: made for its owner only, and refused with the reason the system gives, which SQLite would not tell.

use std::{
    fs::{self, OpenOptions},
    io::{Error as IoError, ErrorKind},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use sprout_domain::{Error, Result};

use crate::error::unavailable;

/// Checks that there is a file; makes it if `create`. It does not open a file that is there: closing that again would take SQLite's
/// locks from every connection of this process.
pub(crate) fn prepare(file: &Path, create: bool) -> Result<()> {
    match fs::metadata(file) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(refused(file, &IoError::from(ErrorKind::IsADirectory))),
        Err(error) if error.kind() == ErrorKind::NotFound && create => {
            // What is in it is for the server alone: hashes of passwords and tokens.
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(refused(file, &error)),
                _ => Ok(()),
            }
        }
        Err(error) => Err(refused(file, &error)),
    }
}

/// Adds to what SQLite says of a file that it cannot use which file it is, or replaces it by what the system says.
pub(crate) fn explain(file: &Path, mut error: Error) -> Error {
    if let Err(reason) = OpenOptions::new().read(true).write(true).open(file) {
        return refused(file, &reason);
    }
    error.message = format!("database {}: {}", file.display(), error.message);
    error
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
