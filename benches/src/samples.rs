//! Durations of one kind, kept whole: means hide what users notice.

use std::{sync::Mutex, time::Duration};

use anyhow::Result;
use hdrhistogram::Histogram;

/// Durations in microseconds, to three digits; shared by the tasks that measure.
pub(crate) struct Samples(Mutex<Histogram<u64>>);

impl Samples {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Mutex::new(Histogram::new_with_bounds(1, 3_600_000_000, 3)?)))
    }

    pub(crate) fn add(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.with(|histogram| histogram.saturating_record(micros.max(1)));
    }

    /// The same, each less this time.
    pub(crate) fn less(&self, time: Duration) -> Result<Self> {
        let less = Self::new()?;
        self.with(|histogram| {
            for value in histogram.iter_recorded() {
                for _ in 0..value.count_at_value() {
                    less.add(Duration::from_micros(value.value_iterated_to()).saturating_sub(time));
                }
            }
        });
        Ok(less)
    }

    pub(crate) fn count(&self) -> u64 {
        self.with(|histogram| histogram.len())
    }

    pub(crate) fn at_ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.with(|histogram| histogram.value_at_quantile(quantile))).as_secs_f64() * 1000.0
    }

    /// Points of the distribution, for the JSON: (share of all samples, milliseconds).
    pub(crate) fn curve(&self) -> Vec<(f64, f64)> {
        [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0].map(|share| (share, self.at_ms(share))).into()
    }

    fn with<T>(&self, look: impl FnOnce(&mut Histogram<u64>) -> T) -> T {
        // A measuring task that panicked has left a whole histogram behind.
        look(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
