//! `--populate-yaml`: the appliances in a file of the test suite, as long as they are there.
//!
//! What the file held is in a copy beside it from before the first change until the end, and the copy is locked meanwhile. So
//! one that a killed checkout has left is told from one that is in use, and the next checkout puts the file right.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use super::merge::{Entry, MARK, is_same_apart, merged, parse};
use crate::{
    failure::Failure,
    output::{Printer, appliance::ApplianceView},
};

/// The copy of a file that was not there.
const NOTHING: &str = "# There was no such file before `sproutctl checkout`.\n";

/// A file that is to hold appliances. When this is dropped it holds what it held before.
pub(super) struct Populated<'a> {
    out: &'a Printer,
    path: PathBuf,
    backup: PathBuf,
    /// Keeps others from the copy.
    #[allow(dead_code, reason = "to have it is enough")]
    lock: File,
    /// What it held; none: it was not there.
    original: Option<String>,
    /// What was written into it.
    written: Option<String>,
}

impl<'a> Populated<'a> {
    /// Checks and copies the file; changes nothing in it.
    pub(super) fn prepare(out: &'a Printer, path: &Path) -> Result<Self, Failure> {
        // A link stays one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let backup = beside(&path, ".sprout-backup");
        let current = read(&path)?;
        if let Some(text) = &current {
            parse(text).map_err(|why| usage(&path, &why, "mend it, or name another file with --populate-yaml"))?;
        }
        let text = current.as_deref().unwrap_or(NOTHING);
        let is_new = copy(&path, &backup, text).map_err(failed(&backup))?;
        let lock = File::open(&backup).map_err(failed(&backup))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                usage(&path, "another checkout has its appliances in it", "name another file with --populate-yaml")
            }
            TryLockError::Error(source) => failed(&backup)(source),
        })?;
        let (original, written) = if is_new { (current, None) } else { recover(out, &path, &backup, current)? };
        Ok(Self { out, path, backup, lock, original, written })
    }

    /// Puts appliances into it.
    pub(super) fn write(&mut self, appliances: &[ApplianceView]) -> Result<(), Failure> {
        let entries: Vec<_> = appliances.iter().map(Entry::from).collect();
        let name = self.backup.file_name().unwrap_or_default().to_string_lossy();
        let about = match self.original {
            Some(_) => format!("; until its end {name} holds what was here."),
            None => "; removed at its end.".to_owned(),
        };
        let text = merged(self.original.as_deref().unwrap_or_default(), &entries, &about)
            .map_err(|why| usage(&self.path, &why, "name another file with --populate-yaml"))?;
        replace(&self.path, &text, Some(&self.backup).filter(|_| self.original.is_some()))
            .map_err(failed(&self.path))?;
        self.written = Some(text);
        Ok(())
    }

    fn put_back(&self) -> Result<(), Failure> {
        let Some(written) = &self.written else {
            return fs::remove_file(&self.backup).map_err(failed(&self.backup));
        };
        let current = read(&self.path)?;
        if current.as_ref() != Some(written) {
            let kept = beside(&self.path, ".bak");
            fs::rename(&self.backup, &kept).map_err(failed(&kept))?;
            let (path, kept) = (self.path.display(), kept.display());
            self.out.note(&format!("{path} was changed meanwhile, and stays so; what it held before is in {kept}"));
            return Ok(());
        }
        if self.original.is_some() {
            return fs::rename(&self.backup, &self.path).map_err(failed(&self.path));
        }
        fs::remove_file(&self.path).map_err(failed(&self.path))?;
        fs::remove_file(&self.backup).map_err(failed(&self.backup))
    }
}

impl Drop for Populated<'_> {
    fn drop(&mut self) {
        if let Err(failure) = self.put_back() {
            let (path, backup) = (self.path.display(), self.backup.display());
            self.out.note(&format!("{path} is not as it was: {failure}; what it held before is in {backup}"));
        }
    }
}

/// Takes over what a killed checkout has left: what the file held before it, and what it has written into it.
fn recover(
    out: &Printer,
    path: &Path,
    backup: &Path,
    current: Option<String>,
) -> Result<(Option<String>, Option<String>), Failure> {
    let copied = read(backup)?.unwrap_or_default();
    let before = (copied != NOTHING).then_some(copied);
    // It was killed before it wrote, or while it put things back.
    if before == current {
        return Ok((before, None));
    }
    match current.filter(|current| current.contains(MARK)) {
        Some(current) if is_same_apart(&current, before.as_deref().unwrap_or_default()) => {
            out.note(&format!("{}: what a checkout that was killed has left is replaced", path.display()));
            Ok((before, Some(current)))
        }
        _ => {
            let why = format!(
                "a checkout that was killed has left it, and it was changed since; what it held before is in {}",
                backup.display()
            );
            Err(usage(path, &why, "put it right, and remove the copy"))
        }
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Failure::Io { what: format!("{} cannot be read", path.display()), source }),
    }
}

/// Makes the copy, whole or not at all, with the rights of the file. False: there is one.
fn copy(path: &Path, backup: &Path, text: &str) -> io::Result<bool> {
    let temporary = write_beside(backup, text, Some(path).filter(|path| path.exists()))?;
    let linked = fs::hard_link(&temporary, backup);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true),
    }
}

/// Replaces a file as a whole, with the rights of another one.
fn replace(path: &Path, text: &str, like: Option<&PathBuf>) -> io::Result<()> {
    let temporary = write_beside(path, text, like.map(PathBuf::as_path))?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn write_beside(path: &Path, text: &str, like: Option<&Path>) -> io::Result<PathBuf> {
    let temporary = beside(path, &format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        if let Some(like) = like {
            file.set_permissions(fs::metadata(like)?.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })();
    written.map(|()| temporary.clone()).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let what = format!("{} cannot be written", path.display());
    move |source| Failure::Io { what, source }
}

fn usage(path: &Path, why: &str, hint: &str) -> Failure {
    Failure::Usage { message: format!("{}: {why}", path.display()), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt as _;

    use sprout_client::proto::appliance::Appliance;

    use super::*;
    use crate::args::Format;

    const OUT: &Printer = &Printer::new(Format::Table);

    fn appliances() -> Vec<ApplianceView> {
        let appliance = Appliance { url: "https://192.0.2.7/".into(), version: "5.11".into(), ..Appliance::default() };
        vec![appliance.into()]
    }

    impl Populated<'_> {
        /// What SIGKILL leaves: the files, without the lock.
        fn leave_as_if_killed(self) {
            self.lock.unlock().unwrap();
            std::mem::forget(self);
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_as_before_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.local.yaml");
        fs::write(&path, "a: 1 # mine\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut file = Populated::prepare(OUT, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1 # mine\n", "until there is something to write");
        file.write(&appliances()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("a: 1 # mine\n# Written by"), "{text}");
        assert!(text.ends_with("appliances:\n- hostname: \"192.0.2.7\"\n  ui_protocol: https\n  version: \"5.11\"\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Populated::prepare(OUT, &path).is_err(), "one at a time");
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1 # mine\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["env.local.yaml"]);
    }

    #[test]
    fn a_file_that_was_not_there_is_not_there_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.local.yaml");
        drop(Populated::prepare(OUT, &path).unwrap());
        let mut file = Populated::prepare(OUT, &path).unwrap();
        file.write(&appliances()).unwrap();
        assert!(path.exists());
        drop(file);
        assert!(names(directory.path()).is_empty());
        assert!(Populated::prepare(OUT, &directory.path().join("none/env.yaml")).is_err());
    }

    #[test]
    fn what_a_killed_one_left_is_put_right() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.local.yaml");
        for original in [Some("a: 1\n"), None] {
            if let Some(text) = original {
                fs::write(&path, text).unwrap();
            }
            let mut killed = Populated::prepare(OUT, &path).unwrap();
            killed.write(&appliances()).unwrap();
            killed.leave_as_if_killed();
            drop(Populated::prepare(OUT, &path).unwrap());
            assert_eq!(read(&path).unwrap().as_deref(), original);
            let _ = fs::remove_file(&path);
            assert!(names(directory.path()).is_empty());
        }
        // Unless somebody has worked on it since.
        let mut killed = Populated::prepare(OUT, &path).unwrap();
        killed.write(&appliances()).unwrap();
        killed.leave_as_if_killed();
        let changed = fs::read_to_string(&path).unwrap() + "new: 1\n";
        fs::write(&path, &changed).unwrap();
        let refused = Populated::prepare(OUT, &path).map(drop).unwrap_err();
        assert!(refused.to_string().contains("was changed since"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), changed);
    }

    #[test]
    fn what_somebody_changed_meanwhile_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.yaml");
        fs::write(&path, "a: 1\n").unwrap();
        let mut file = Populated::prepare(OUT, &path).unwrap();
        file.write(&appliances()).unwrap();
        fs::write(&path, "a: 2\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 2\n");
        assert_eq!(fs::read_to_string(directory.path().join("env.yaml.bak")).unwrap(), "a: 1\n");
    }

    #[test]
    fn a_file_that_is_no_mapping_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.yaml");
        fs::write(&path, "- 1\n").unwrap();
        assert!(Populated::prepare(OUT, &path).is_err());
        assert_eq!(names(directory.path()), ["env.yaml"]);
    }
}
