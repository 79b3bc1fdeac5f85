//! Where the log of a subject is, and opening files there without following links.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use sprout_app::ports::LogOf;

/// Longest name of a provider's log, encoded, before its ending.
const MAX_NAME: usize = 200;

/// Makes the directory tree; errors name the directory.
pub(crate) fn make_tree(root: &Path) -> io::Result<()> {
    for directory in [root.to_owned(), root.join("appliance"), root.join("provider")] {
        let made = DirBuilder::new().recursive(true).mode(0o750).create(&directory);
        let probe = directory.join(".writable");
        made.and_then(|()| write_probe(&probe)).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the log directory {} cannot be written: {error}", directory.display()),
            )
        })?;
    }
    Ok(())
}

fn write_probe(probe: &Path) -> io::Result<()> {
    open(probe, OpenOptions::new().write(true).create(true))?;
    fs::remove_file(probe)
}

/// The file with the newest part of a log.
pub(crate) fn path(root: &Path, of: &LogOf) -> io::Result<PathBuf> {
    let (directory, name) = match of {
        LogOf::Appliance(id) => ("appliance", id.to_string()),
        LogOf::Provider(key) => ("provider", encode(&key.0)),
    };
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{of:?} cannot be the name of a log")));
    }
    Ok(root.join(directory).join(format!("{name}.log")))
}

/// Whatever could mean something to a file system becomes `%XX`, so that no key leads out of its directory or to another's log.
fn encode(key: &str) -> String {
    let encoded = key.bytes().enumerate().map(|(index, byte)| {
        let plain = byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && index > 0);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    encoded.collect::<Vec<_>>().concat()
}

/// Opens a file, but not through a symbolic link that someone put in its place.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o640).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_elsewhere() {
        let path = |key: &str| path(Path::new("/logs"), &LogOf::Provider(key.into())).map(|p| p.display().to_string());
        assert_eq!(path("lab-1.x").unwrap(), "/logs/provider/lab-1.x.log");
        assert_eq!(path("../../etc/passwd").unwrap(), "/logs/provider/%2E.%2F..%2Fetc%2Fpasswd.log");
        assert_eq!(path("a\0b%").unwrap(), "/logs/provider/a%00b%25.log");
        assert!(path("").is_err() && path(&"x".repeat(201)).is_err());
    }
}
