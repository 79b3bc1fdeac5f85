//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// A token that the first SIGTERM or SIGINT cancels. A second one ends the process at once: whoever sends it does not want to wait.
pub fn stop_signal() -> Result<CancellationToken, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let token = CancellationToken::new();
    tokio::spawn({
        let token = token.clone();
        async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if token.is_cancelled() {
                    tracing::warn!("stopped at once, as asked twice");
                    std::process::exit(130);
                }
                token.cancel();
            }
        }
    });
    Ok(token)
}
