//! Lines for the logs of subjects. Nothing here waits for a disk but a worker that logs more than the disk takes.

use std::sync::{Arc, Mutex, PoisonError};

use sprout_app::{TaskKey, ports::LogOf};
use sprout_domain::WorkerId;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{Fleet, Running, convert};

/// Lines that wait to be written.
const WAITING: usize = 4096;
/// Lines handed over at once.
const TOGETHER: usize = 256;

/// The way to the logs.
pub(crate) struct Lines {
    sender: mpsc::Sender<(LogOf, String)>,
    receiver: Mutex<Option<mpsc::Receiver<(LogOf, String)>>>,
}

impl Default for Lines {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Fleet {
    /// Hands lines over to the logs.
    pub(crate) async fn write_lines(self: Arc<Self>) {
        let receiver = self.lines.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let mut lines = Vec::with_capacity(TOGETHER);
        while receiver.recv_many(&mut lines, TOGETHER).await > 0 {
            let mut lines = lines.drain(..).peekable();
            while let Some((of, line)) = lines.next() {
                let mut same = vec![line];
                while let Some((_, line)) = lines.next_if(|(other, _)| *other == of) {
                    same.push(line);
                }
                self.app.log(&of, same).await;
            }
        }
    }

    /// A line of a worker's. Its next message waits until there is room for it.
    pub(crate) async fn log_of_worker(&self, of: LogOf, line: String) {
        let _ = self.lines.sender.send((of, line)).await; // fails only where nobody writes lines any more
    }

    /// A line of the server's own about a step.
    pub(crate) fn log_of_server(&self, running: &Running, key: TaskKey, worker: &WorkerId, says: &str) {
        let Some(of) = running.log() else { return };
        let line = convert::server_line(running.step, key.id, worker, says);
        if let Err(TrySendError::Full((of, line))) = self.lines.sender.try_send((of, line)) {
            tracing::warn!(?of, line, "the logs do not keep up; this line is only here");
        }
    }
}
