//! How commands wait: until what they wait for is there, time is up, or Ctrl-C. What is waited for goes on whatever becomes of that.

use std::{future::pending, time::Duration};

use sprout_client::ClientError;

use crate::{failure::Failure, output::progress::Progress};

/// A wait with its end.
pub(super) struct Bound {
    /// How long to wait; none: for good.
    pub(super) timeout: Option<Duration>,
    /// What to say when the time is up.
    pub(super) late: String,
    /// What to do after giving up, late or interrupted.
    pub(super) hint: String,
}

impl Bound {
    /// Waits.
    pub(super) async fn on<T>(self, what: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = what => done,
            () = expired(self.timeout) => {
                Err(Failure::TimedOut { message: format!("{}; waiting timed out", self.late), hint: self.hint })
            }
            interrupted = tokio::signal::ctrl_c() => Err(match interrupted {
                Ok(()) => Failure::Interrupted { message: "interrupted".to_owned(), hint: self.hint },
                Err(source) => Failure::Io { what: "Ctrl-C cannot be waited for".to_owned(), source },
            }),
        }
    }
}

async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => pending().await,
    }
}

/// The shortest and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Looks again and again until there is something to return. A server that goes away for a while is waited for, unless it was not there to
/// begin with.
pub(super) async fn look<T>(
    progress: &mut Progress<'_>,
    mut look: impl AsyncFnMut(&mut Progress<'_>) -> Result<Option<T>, ClientError>,
) -> Result<T, Failure> {
    let (mut pause, longest) = PAUSES;
    let (mut was_there, mut is_lost) = (false, false);
    loop {
        match look(progress).await {
            Ok(found) => {
                was_there = true;
                if std::mem::take(&mut is_lost) {
                    progress.note("connected again");
                }
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            Err(error) if error.is_unavailable() && was_there => {
                if !std::mem::replace(&mut is_lost, true) {
                    progress.note(&format!("connection lost ({error}); reconnecting …"));
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}
