//! Logs as files: one per appliance and per provider, in a directory tree that people can read without Sprout.
//!
//! ```text
//! DIR/appliance/42.log                  the newest part
//! DIR/appliance/42.parts/0.log          rotated parts, each named after the position of its first byte in the whole log
//! DIR/appliance/42.parts/20000000.log
//! DIR/provider/lab-libvirt.log
//! ```
//!
//! A position counts bytes from the beginning of the whole log, and stays right when parts are rotated and removed. One
//! thread owns all files: lines are written in the order they came, a reader sees everything appended before it asked, and
//! the runtime never waits for a disk.

mod files;
mod parts;
mod writer;

use std::{io, path::Path, thread};

use async_trait::async_trait;
use sprout_app::ports::{LogOf, LogStore};
use sprout_domain::{Error, Reason, Result};
use tokio::sync::{mpsc, oneshot, watch};

use self::writer::{Command, Writer};

/// Appends that wait for the disk; whoever appends more waits with them.
const QUEUE: usize = 256;

/// How much is kept of one log.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A part is rotated when it has grown to this many bytes.
    pub part_bytes: u64,
    /// Parts kept, the newest included; at least 1.
    pub parts: usize,
    /// Files kept open.
    pub open_files: usize,
}

impl Default for Limits {
    /// 20 MB × 10.
    fn default() -> Self {
        Self { part_bytes: 20_000_000, parts: 10, open_files: 64 }
    }
}

/// The logs below one directory.
#[derive(Debug)]
pub struct FileLogs {
    commands: mpsc::Sender<Command>,
    changed: watch::Sender<u64>,
}

impl FileLogs {
    /// Opens the logs in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn open(directory: &Path, limits: Limits) -> io::Result<Self> {
        let mut writer = Writer::open(directory, limits)?;
        let (commands, mut queue) = mpsc::channel(QUEUE);
        thread::Builder::new().name("logs".to_owned()).spawn(move || {
            while let Some(command) = queue.blocking_recv() {
                writer.run(command);
            }
        })?;
        Ok(Self { commands, changed: watch::Sender::new(0) })
    }

    /// Returns when everything appended so far is written.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Flush(done)).await.is_ok() {
            // The writer ends only with this store.
            let _ = wait.await;
        }
    }
}

#[async_trait]
impl LogStore for FileLogs {
    async fn append(&self, of: &LogOf, lines: Vec<String>) {
        if !lines.is_empty() && self.commands.send(Command::Append(of.clone(), lines)).await.is_ok() {
            self.changed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    async fn read(&self, of: &LogOf, position: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        let (answer, wait) = oneshot::channel();
        let stopped = || Error::internal("the thread that writes logs has ended");
        self.commands.send(Command::Read(of.clone(), position, limit, answer)).await.map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?.map_err(|error| {
            Error::new(Reason::Internal, "the log cannot be read; the server's log says why").because(error)
        })
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests;
