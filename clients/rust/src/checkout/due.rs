//! When a lease is to be extended: at half of it. Only the server's clock says when a lease ends, and this machine's may
//! differ; so what is counted here is time that has passed since a moment at which the lease was known to be whole.

use std::time::Duration;

use prost_types::Timestamp;
use tokio::time::Instant;

/// A lease as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    lease: Duration,
    /// When it was whole, and its end at that time; none: it may end any moment.
    whole: Option<(Instant, Timestamp)>,
    /// Its end now; none: it never ends.
    until: Option<Timestamp>,
}

impl Due {
    /// `since`: when it began; none: nobody here has seen that.
    pub(super) fn new(lease: Duration, until: Option<Timestamp>, since: Option<Instant>) -> Self {
        Self { lease, whole: since.zip(until), until }
    }

    /// It ends then, as the server tells; somebody else may have extended it, or made it shorter.
    pub(super) fn told(&mut self, until: Option<Timestamp>) {
        self.until = until;
    }

    /// It was extended at this moment, and ends then.
    pub(super) fn extended(&mut self, at: Instant, until: Option<Timestamp>) {
        *self = Self::new(self.lease, until, Some(at));
    }

    /// It is to be this long from now on.
    pub(super) fn shorten(&mut self, lease: Duration) {
        self.lease = lease.min(self.lease);
    }

    /// How long it is to be when it is extended.
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Its end, as far as known; none: it never ends.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// When to extend it; none: never.
    pub(super) fn at(&self, now: Instant) -> Option<Instant> {
        // A server that does not say how long it is lets it be extended by nothing.
        let until = self.until.filter(|_| !self.lease.is_zero())?;
        let Some((since, whole)) = self.whole else { return Some(now) };
        let half = since + self.lease / 2;
        let (until, whole) = (nanos(until), nanos(whole));
        let moved = Duration::from_nanos(u64::try_from(until.abs_diff(whole)).unwrap_or(u64::MAX));
        Some(if until >= whole { half.checked_add(moved)? } else { half.checked_sub(moved).unwrap_or(now) })
    }

    /// How long to wait after a failure: many tries fit what is left.
    pub(super) fn pause(&self) -> Duration {
        (self.lease / 20).clamp(Duration::from_millis(50), Duration::from_mins(1))
    }
}

fn nanos(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(100);

    #[allow(clippy::unnecessary_wraps, reason = "an end of a lease is an option everywhere")]
    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn a_lease_is_extended_at_its_half() {
        let start = Instant::now();
        let mut due = Due::new(LEASE, at(1_000), Some(start));
        assert_eq!(due.at(start), Some(start + LEASE / 2));
        let half = start + LEASE / 2;
        due.extended(half, at(1_050));
        assert_eq!(due.at(half), Some(start + LEASE));
    }

    #[test]
    fn what_others_did_to_it_counts() {
        let start = Instant::now();
        let mut due = Due::new(LEASE, at(1_000), Some(start));
        due.told(at(1_300));
        assert_eq!(due.at(start), Some(start + LEASE / 2 + 3 * LEASE), "not before half a lease is left");
        due.told(at(960));
        assert_eq!(due.at(start), Some(start + Duration::from_secs(10)));
        due.told(None);
        assert_eq!(due.at(start), None, "it never ends now");
    }

    #[test]
    fn a_lease_that_began_unseen_is_extended_at_once() {
        let now = Instant::now();
        assert_eq!(Due::new(LEASE, at(1_000), None).at(now), Some(now));
        assert_eq!(Due::new(LEASE, None, None).at(now), None);
    }

    #[test]
    fn tries_come_often_enough_and_not_too_often() {
        let pause = |lease| Due::new(lease, None, None).pause();
        assert_eq!(pause(Duration::from_secs(2)), Duration::from_millis(100));
        assert_eq!(pause(Duration::from_millis(10)), Duration::from_millis(50));
        assert_eq!(pause(Duration::from_hours(24)), Duration::from_mins(1));
    }
}
