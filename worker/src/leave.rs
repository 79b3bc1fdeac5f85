//! How a worker leaves: the levels of urgency, from "stay" to "now", and the signals that mean them.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How urgently the worker is to leave. Each level includes those before it; the level of a worker only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Leave {
    /// Not at all.
    #[default]
    Stay,
    /// Takes nothing new, and hands waits back at once: anyone can go on with them. Short steps finish (SIGTERM).
    Finish,
    /// Hands back everything but a clone that is under way, whose outcome is worth knowing (SIGINT).
    HandBack,
    /// Hands back everything (second SIGINT).
    Soon,
    /// Returns at once; the server notices by itself (third SIGINT).
    Now,
}

impl Leave {
    /// The level after one more SIGINT.
    fn interrupted(self) -> Self {
        match self {
            Self::Stay | Self::Finish => Self::HandBack,
            Self::HandBack => Self::Soon,
            Self::Soon | Self::Now => Self::Now,
        }
    }
}

/// Raises the level by the signals this process gets from now on, for as long as someone watches it.
///
/// # Errors
/// If the signals cannot be listened to.
pub fn on_signals() -> io::Result<watch::Receiver<Leave>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (level, watcher) = watch::channel(Leave::Stay);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => level.send_modify(|level| *level = (*level).max(Leave::Finish)),
                _ = interrupt.recv() => level.send_modify(|level| *level = level.interrupted()),
                () = level.closed() => break,
            }
        }
    });
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::Leave;

    #[test]
    fn each_interrupt_is_more_urgent() {
        assert_eq!(Leave::Stay.interrupted(), Leave::HandBack);
        assert_eq!(Leave::Finish.interrupted(), Leave::HandBack, "after a SIGTERM too");
        assert_eq!(Leave::HandBack.interrupted(), Leave::Soon);
        assert_eq!(Leave::Soon.interrupted(), Leave::Now);
        assert!(Leave::Stay < Leave::Finish && Leave::Finish < Leave::HandBack);
    }
}
