//! How long pools took to become ready, as a histogram.
//!
//! Numbers of a minute are added up to those of an hour or a day, which percentiles cannot be: the middle of two middles says nothing. Counts in
//! fixed buckets can, exactly; percentiles are read off them when somebody asks, and are as exact as the bucket is narrow.

use std::time::Duration;

/// The longest wait of each bucket; the last one has no end. From what was warm to what had to queue for an hour.
pub const BOUNDS: [Duration; 11] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(1200),
    Duration::from_secs(3600),
];

/// Pools by how long they took to become ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many took at most as long as each of [`BOUNDS`] and longer than the one before, and how many took longer.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// The longest.
    pub longest: Duration,
}

impl Waits {
    /// So many pools that all took so long.
    pub fn of(wait: Duration, pools: u64) -> Self {
        let mut waits = Self { longest: if pools > 0 { wait } else { Duration::ZERO }, ..Self::default() };
        waits.buckets[BOUNDS.partition_point(|bound| *bound < wait)] = pools;
        waits
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += others;
        }
        self.longest = self.longest.max(other.longest);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// About how long that of this rank (of 100) took, as if those of a bucket were spread evenly over it; none if there are none.
    pub fn percentile(&self, rank: u8) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // The first is the 1st, and 50 of 100 of three are the first two.
        let mut nth = (count * u64::from(rank)).div_ceil(100).clamp(1, count);
        let mut low = Duration::ZERO;
        for (index, pools) in self.buckets.iter().copied().enumerate() {
            let high = BOUNDS.get(index).copied().unwrap_or(self.longest).max(low).min(self.longest.max(low));
            if nth <= pools {
                #[allow(clippy::cast_precision_loss, reason = "it is an estimate")]
                let share = nth as f64 / pools as f64;
                return Some(low + high.saturating_sub(low).mul_f64(share));
            }
            nth -= pools;
            low = high;
        }
        Some(self.longest)
    }
}
