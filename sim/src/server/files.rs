//! The state on disk: a journal that is only ever appended to, and a snapshot that says how much of it need not be read.
//!
//! A change is in the journal before its call is answered. Nothing is forced to disk: a process that is killed loses
//! nothing, a machine that fails may lose the last moments. The journal is kept whole, since it is the proof of what
//! happened; the snapshot is made anew at each start.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::core::{Config, Entry, Sim, Snapshot};

const JOURNAL: &str = "journal.jsonl";
const SNAPSHOT: &str = "snapshot.json";
const UNFINISHED: &str = "snapshot.json.new";

/// The journal, open.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Also holds the lock.
    file: File,
    length: u64,
    buffer: Vec<u8>,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// What of the journal the snapshot has, in bytes.
    offset: u64,
    snapshot: Snapshot,
}

/// What was kept, and the journal to go on with.
pub(super) fn open(directory: &Path, config: Config) -> Result<(Sim, Journal), Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    fs::create_dir_all(directory).map_err(at(directory))?;
    let path = directory.join(JOURNAL);
    let options = OpenOptions::new().read(true).append(true).create(true).open(&path);
    let mut file = options.map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => return Err(at(&path)(source)),
    }
    let snapshot = directory.join(SNAPSHOT);
    let kept: Option<Kept> = match fs::read(&snapshot) {
        Ok(bytes) => {
            let damaged = |source| Error::Damaged { path: snapshot.clone(), line: 1, source };
            Some(serde_json::from_slice(&bytes).map_err(damaged)?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(at(&snapshot)(source)),
    };
    let Kept { offset, snapshot } = kept.unwrap_or_default();
    let (entries, length) = read(&path, &mut file, offset)?;
    // What a process that was killed had not finished writing was not answered either.
    file.set_len(length).map_err(at(&path))?;
    let sim = Sim::restore(config, snapshot, entries);
    let kept = Kept { offset: length, snapshot: sim.snapshot() };
    write(directory, &kept).map_err(at(directory))?;
    Ok((sim, Journal { path, file, length, buffer: Vec::new() }))
}

/// All whole entries from there, and where they end.
fn read(path: &Path, file: &mut File, offset: u64) -> Result<(Vec<Entry>, u64), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let (mut reader, mut entries, mut end, mut line) = (BufReader::new(file), Vec::new(), offset, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
        if !line.ends_with(b"\n") {
            return Ok((entries, end));
        }
        end += read as u64;
        let number = entries.len() + 1;
        let damaged = |source| Error::Damaged { path: path.to_owned(), line: number, source };
        entries.push(serde_json::from_slice(&line).map_err(damaged)?);
    }
}

/// All at once: whoever dies in between leaves the old one.
fn write(directory: &Path, kept: &Kept) -> io::Result<()> {
    let unfinished = directory.join(UNFINISHED);
    let mut file = io::BufWriter::new(File::create(&unfinished)?);
    serde_json::to_writer(&mut file, kept)?;
    file.into_inner()?.sync_all()?;
    fs::rename(unfinished, directory.join(SNAPSHOT))
}

impl Journal {
    /// Appends entries, all of them in one write.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        self.buffer.clear();
        let failed = |source| Error::File { path: self.path.clone(), source };
        for entry in entries {
            serde_json::to_writer(&mut self.buffer, entry).map_err(|error| failed(error.into()))?;
            self.buffer.push(b'\n');
        }
        self.file.write_all(&self.buffer).map_err(failed)?;
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Where it is, and how much of it is written.
    pub(super) fn extent(&self) -> (PathBuf, u64) {
        (self.path.clone(), self.length)
    }
}
