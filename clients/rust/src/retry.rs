//! Sends a call again when its answer was lost. Only for calls that may be repeated.

use std::{array, time::Duration};

use tokio::time::Instant;

use crate::error::ClientError;

/// Pauses between the tries: a restarting server is back within them.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Makes a call, and again after a pause while the server is unavailable, five times at most. If nobody listens the
/// first time, the server is not restarting but not there: that fails at once.
pub async fn retry<T, F>(mut call: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut tries = Tries::new();
    loop {
        match call().await {
            Err(error) => tries.again(error).await?,
            done => return done,
        }
    }
}

/// How often a call is made.
#[derive(Debug)]
pub(crate) struct Tries {
    pauses: array::IntoIter<Duration, 4>,
    is_first: bool,
    /// The server was there a moment ago, so it is waited for until then.
    until: Option<Instant>,
}

impl Tries {
    /// As often as [`retry`] does.
    pub(crate) fn new() -> Self {
        Self { pauses: PAUSES.into_iter(), is_first: true, until: None }
    }

    /// Of a server that was there a moment ago: until `patience` is over.
    pub(crate) fn patient(patience: Duration) -> Self {
        Self { until: Some(Instant::now() + patience), ..Self::new() }
    }

    /// Returns when it is time for the next try; the error if there is none.
    pub(crate) async fn again(&mut self, error: ClientError) -> Result<(), ClientError> {
        let was_never_there = std::mem::take(&mut self.is_first)
            && self.until.is_none()
            && matches!(error, ClientError::Unreachable { refused: true, .. });
        if was_never_there || !error.is_unavailable() {
            return Err(error);
        }
        let pause = match (self.pauses.next(), self.until) {
            (pause, Some(until)) if Instant::now() < until => pause.unwrap_or(PAUSES[3]),
            (Some(pause), None) => pause,
            _ => return Err(error),
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
