//! Pauses between two tries to connect: short at first, since most losses are a restart of the server, then growing, and
//! never the same for all workers of a server that comes back.

use tokio::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(5);
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// Grows with each try; a good session resets it.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
    welcomed: Option<Instant>,
}

impl Backoff {
    /// A session has begun.
    pub(super) fn welcomed(&mut self) {
        self.welcomed = Some(Instant::now());
    }

    /// The pause before the next try: between half of the present limit and all of it.
    pub(super) fn next(&mut self) -> Duration {
        if self.welcomed.take().is_some_and(|at| at.elapsed() >= GOOD) {
            self.tries = 0;
        }
        let limit = FIRST.saturating_mul(2_u32.saturating_pow(self.tries)).min(LIMIT);
        self.tries = self.tries.saturating_add(1);
        rand::random_range(limit / 2..=limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_until_a_session_was_good() {
        let mut backoff = Backoff::default();
        assert!(backoff.next() <= FIRST);
        for _ in 0..40 {
            assert!(backoff.next() <= LIMIT);
        }
        assert!(backoff.next() >= LIMIT / 2);
        backoff.welcomed();
        assert!(backoff.next() >= LIMIT / 2, "a session that ends at once is no reason to hurry");
        backoff.welcomed();
        tokio::time::advance(GOOD).await;
        assert!(backoff.next() <= FIRST);
    }
}
