//! One log on disk: its rotated parts, its newest part, and reading across them by position.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{Limits, files};

/// Bytes returned by one read, lines beyond which come with the next.
const MAX_READ: usize = 1 << 20;

/// The newest part of a log, open for appending.
#[derive(Debug)]
pub(crate) struct Open {
    path: PathBuf,
    file: File,
    /// Position of its first byte in the whole log.
    start: u64,
    /// Bytes in it.
    length: u64,
}

impl Open {
    /// Opens the newest part, or begins it. What a crash left of a line is ended.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let start = rotated(path)?.last().map_or(0, Part::end);
        let file = files::open(path, OpenOptions::new().append(true).read(true).create(true))?;
        let length = file.metadata()?.len();
        let mut open = Self { path: path.to_owned(), file, start, length };
        if length > 0 {
            let mut last = [0];
            open.file.seek(SeekFrom::End(-1))?;
            open.file.read_exact(&mut last)?;
            if last != *b"\n" {
                open.append(b"\n")?;
            }
        }
        Ok(open)
    }

    /// Appends whole lines; if not all of it can be written, none of it is.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines).inspect_err(|_| {
            // If this fails too, the half line is ended when the file is opened the next time.
            let _ = self.file.set_len(self.length);
        })?;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Whether the part has grown to its limit.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.length >= limits.part_bytes
    }

    /// Puts the part aside under its position, and removes the oldest beyond the limit. One rename: before it nothing has
    /// happened, after it the next append begins a new part.
    pub(crate) fn rotate(self, limits: &Limits) -> io::Result<()> {
        let aside = aside(&self.path);
        match DirBuilder::new().mode(0o750).create(&aside) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => fs::rename(&self.path, aside.join(format!("{}.log", self.start)))?,
        }
        let parts = rotated(&self.path)?;
        let surplus = (parts.len() + 1).saturating_sub(limits.parts.max(1));
        parts.iter().take(surplus).try_for_each(|part| fs::remove_file(&part.path))
    }
}

/// A part on disk.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    start: u64,
    length: u64,
}

impl Part {
    fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// The directory of a log's rotated parts: its own, so that finding them costs the same however many logs there are.
fn aside(path: &Path) -> PathBuf {
    path.with_extension("parts")
}

/// The rotated parts, oldest first.
fn rotated(path: &Path) -> io::Result<Vec<Part>> {
    let entries = match fs::read_dir(aside(path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut parts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let start = entry.file_name().to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        if let Some(start) = start {
            parts.push(Part { path: entry.path(), start, length: entry.metadata()?.len() });
        }
    }
    parts.sort_by_key(|part| part.start);
    Ok(parts)
}

/// Whole lines from a position on, at most `limit`, and the position after them. A position whose part was removed means the
/// oldest that is there; one beyond the end means the end.
pub(crate) fn read(path: &Path, mut position: u64, limit: usize) -> io::Result<(Vec<String>, u64)> {
    let mut parts = rotated(path)?;
    let start = parts.last().map_or(0, Part::end);
    match fs::symlink_metadata(path) {
        Ok(metadata) => parts.push(Part { path: path.to_owned(), start, length: metadata.len() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let end = parts.last().map_or(0, Part::end);
    position = position.clamp(parts.first().map_or(0, |part| part.start), end);
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for part in &parts {
        if part.end() <= position {
            continue;
        }
        position = position.max(part.start); // after a part that someone removed from the middle
        let mut file = files::open(&part.path, OpenOptions::new().read(true))?;
        file.seek(SeekFrom::Start(position - part.start))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while lines.len() < limit && bytes < MAX_READ {
            line.clear();
            let length = file.read_until(b'\n', &mut line)?;
            if line.pop_if(|last| *last == b'\n').is_none() {
                break; // the end of the part, or of a line that is not whole
            }
            lines.push(String::from_utf8_lossy(&line).into_owned());
            (position, bytes) = (position + length as u64, bytes + length);
        }
        if position < part.end() {
            break;
        }
    }
    Ok((lines, position))
}
