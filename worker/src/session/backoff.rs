//! Where to connect next, and after which pause: short at first, since most losses are a restart of one server, then growing, and
//! never the same for all workers of a server that comes back.

use tokio::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(5);
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// Grows with each round of tries; a good session resets it.
#[derive(Debug)]
pub(super) struct Backoff {
    /// How many servers there are, and which is tried now.
    servers: usize,
    server: usize,
    tries: usize,
    welcomed: Option<Instant>,
}

impl Backoff {
    /// For so many servers, at least one. The first one is picked at random, so that workers spread.
    pub(super) fn of(servers: usize) -> Self {
        Self { servers, server: fastrand::usize(..servers), tries: 0, welcomed: None }
    }

    /// Which server to try.
    pub(super) fn server(&self) -> usize {
        self.server
    }

    /// A session has begun.
    pub(super) fn welcomed(&mut self) {
        self.welcomed = Some(Instant::now());
    }

    /// Picks another server, if there is one. The pause before it is tried: between half of the present limit and all of it.
    pub(super) fn next(&mut self) -> Duration {
        if self.welcomed.take().is_some_and(|at| at.elapsed() >= GOOD) {
            self.tries = 0;
        }
        if self.servers > 1 {
            self.server = (self.server + 1 + fastrand::usize(..self.servers - 1)) % self.servers;
        }
        let rounds = u32::try_from(self.tries / self.servers).unwrap_or(u32::MAX);
        let limit = FIRST.saturating_mul(2_u32.saturating_pow(rounds)).min(LIMIT);
        self.tries = self.tries.saturating_add(1);
        limit.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_until_a_session_was_good() {
        let mut backoff = Backoff::of(1);
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

    #[tokio::test]
    async fn a_lost_server_is_left_for_another_and_all_are_tried_before_pauses_grow() {
        let mut backoff = Backoff::of(3);
        let mut seen = [false; 3];
        for n in 0..60 {
            let before = backoff.server();
            let pause = backoff.next();
            assert_ne!(backoff.server(), before);
            assert!(n >= 3 || pause <= FIRST, "{pause:?}");
            seen[backoff.server()] = true;
        }
        assert_eq!(seen, [true; 3]);
    }
}
