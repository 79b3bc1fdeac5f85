//! The thread's side: commands in their order, files kept open while they are in use, losses told once a minute.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sprout_app::ports::LogOf;
use tokio::sync::oneshot;

use crate::{
    Limits, files,
    parts::{self, Open},
};

/// Losses are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Longest line; the rest of it is cut off.
const MAX_LINE: usize = 64 * 1024;

type Lines = io::Result<(Vec<String>, u64)>;

/// What the thread is asked to do.
pub(crate) enum Command {
    Append(LogOf, Vec<String>),
    Read(LogOf, u64, usize, oneshot::Sender<Lines>),
    Flush(oneshot::Sender<()>),
}

/// The owner of all files.
pub(crate) struct Writer {
    root: PathBuf,
    limits: Limits,
    /// With the number of the last use.
    open: HashMap<LogOf, (u64, Open)>,
    uses: u64,
    losses: Losses,
}

impl Writer {
    pub(crate) fn open(root: &Path, limits: Limits) -> io::Result<Self> {
        files::make_tree(root)?;
        Ok(Self { root: root.to_owned(), limits, open: HashMap::new(), uses: 0, losses: Losses::default() })
    }

    pub(crate) fn run(&mut self, command: Command) {
        match command {
            Command::Append(of, lines) => match self.append(&of, &lines) {
                Ok(()) => self.losses.over(),
                Err(error) => {
                    // Opened again at the next append, with what was left behind looked at anew.
                    self.open.remove(&of);
                    self.losses.add(lines.len(), &self.root, &error);
                }
            },
            // Whoever asked may have gone; then nobody needs the answer.
            Command::Read(of, position, limit, answer) => drop(answer.send(self.read(&of, position, limit))),
            Command::Flush(done) => drop(done.send(())),
        }
    }

    fn append(&mut self, of: &LogOf, lines: &[String]) -> io::Result<()> {
        let limits = self.limits;
        let open = self.opened(of)?;
        open.append(&encoded(lines))?;
        if open.is_full(&limits)
            && let Some((_, full)) = self.open.remove(of)
        {
            // Written is written: a rotation that fails is tried again after the next lines.
            if let Err(error) = full.rotate(&limits) {
                tracing::warn!(log = ?of, %error, "a log cannot be rotated and keeps growing");
            }
        }
        Ok(())
    }

    fn read(&mut self, of: &LogOf, position: u64, limit: usize) -> Lines {
        parts::read(&files::path(&self.root, of)?, position, limit)
    }

    fn opened(&mut self, of: &LogOf) -> io::Result<&mut Open> {
        self.uses += 1;
        if !self.open.contains_key(of) {
            if self.open.len() >= self.limits.open_files.max(1) {
                let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(of, _)| of.clone());
                oldest.and_then(|of| self.open.remove(&of));
            }
            let open = Open::new(&files::path(&self.root, of)?)?;
            self.open.insert(of.clone(), (self.uses, open));
        }
        let (used, open) = self.open.get_mut(of).ok_or_else(|| io::Error::other("a file that was opened is not"))?;
        *used = self.uses;
        Ok(open)
    }
}

/// One line each, whatever is in them.
fn encoded(lines: &[String]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines.iter().flat_map(|lines| lines.strip_suffix('\n').unwrap_or(lines).split('\n')) {
        bytes.extend_from_slice(&line.as_bytes()[..line.floor_char_boundary(MAX_LINE)]);
        bytes.push(b'\n');
    }
    bytes
}

/// Lines that could not be written.
#[derive(Default)]
struct Losses {
    untold: usize,
    total: usize,
    told_at: Option<Instant>,
}

impl Losses {
    fn add(&mut self, lines: usize, root: &Path, error: &io::Error) {
        self.untold += lines;
        self.total += lines;
        if self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.told_at = Some(Instant::now());
            tracing::error!(
                lost_lines = self.untold,
                directory = %root.display(),
                "logs cannot be written ({error}); make room, or make the directory writable"
            );
            self.untold = 0;
        }
    }

    /// Lines are written again.
    fn over(&mut self) {
        if self.untold > 0 {
            tracing::warn!(lost_lines = self.untold, total = self.total, "logs are written again");
            self.untold = 0;
        }
    }
}
