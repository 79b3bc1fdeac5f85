//! Sends a call again when its answer was lost. Only for calls that may be repeated.

use std::time::Duration;

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
    let mut pauses = PAUSES.into_iter();
    let mut first = true;
    loop {
        match call().await {
            Err(ClientError::Unreachable { refused: true, server, cause }) if first => {
                return Err(ClientError::Unreachable { refused: true, server, cause });
            }
            Err(error) if error.is_unavailable() => match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            },
            done => return done,
        }
        first = false;
    }
}
